/** The room's name in the page's address, so that a reload, a return and a shared link lead to the same room. */

const ROOM = "room";

/** The room that an address leads to, or null where any will do. */
export function roomOf(address: string): string | null {
  return new URL(address).searchParams.get(ROOM) || null;
}

/** The address that leads to a room. */
export function withRoom(address: string, room: string): string {
  const url = new URL(address);
  url.searchParams.set(ROOM, room);
  return url.href;
}
