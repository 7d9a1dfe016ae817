"""The wire: the messages and how they are written, the options of a connection, and the vendor's numbers."""
