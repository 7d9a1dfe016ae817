"""What is on the wire: messages and how they are written, what a connection is asked for, and the vendor's numbers."""
