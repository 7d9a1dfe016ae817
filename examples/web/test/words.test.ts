import { describe, expect, it } from "vitest";
import { errorWords, microphoneWords, PageError } from "../src/words";

const DENIED = new DOMException("Permission denied", "NotAllowedError");

describe("words for what went wrong", () => {
  it("show a sentence of the page's own as it is", () => {
    expect(errorWords(new PageError("The token endpoint refused."))).toBe("The token endpoint refused.");
  });

  it("tell a microphone that is denied from a room that cannot be joined", () => {
    expect(errorWords(DENIED)).toMatch(/^The microphone could not be turned on: the browser may not use it\. /);
    expect(errorWords(new Error("no route"))).toMatch(/^The room could not be joined: no route\. /);
    expect(errorWords("?")).toMatch(/^Joining failed/);
  });

  it("never speak of joining when it is about muting", () => {
    for (const error of [DENIED, new Error("device lost"), "?"]) {
      expect(microphoneWords(error, "on")).toMatch(/^The microphone could not be turned on: /);
      expect(microphoneWords(error, "off")).toMatch(/^The microphone could not be turned off: /);
      expect(microphoneWords(error, "on")).not.toMatch(/join/i);
    }
  });
});
