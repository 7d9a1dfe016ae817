import { describe, expect, it } from "vitest";
import { roomOf, withRoom } from "../src/address";

const PAGE = "http://127.0.0.1:8080/";

describe("the address", () => {
  it("names a room or leaves it open", () => {
    expect(roomOf(`${PAGE}?room=kitchen`)).toBe("kitchen");
    expect(roomOf(PAGE)).toBeNull();
    expect(roomOf(`${PAGE}?room=`)).toBeNull();
  });

  it("leads to the room that was put into it, and keeps the rest", () => {
    expect(withRoom(PAGE, "room-1f")).toBe(`${PAGE}?room=room-1f`);
    expect(withRoom(`${PAGE}?theme=dark&room=old#end`, "new")).toBe(`${PAGE}?theme=dark&room=new#end`);
    expect(roomOf(withRoom(PAGE, "a&b=c"))).toBe("a&b=c");
  });
});
