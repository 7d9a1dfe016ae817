import { ConnectionError } from "livekit-client";
import { describe, expect, it } from "vitest";
import page from "../index.html?raw";
import { errorWords, microphoneWords, PageError, soundWords } from "../src/words";

const DENIED = new DOMException("Permission denied", "NotAllowedError");

describe("words for what went wrong", () => {
  it("show a sentence of the page's own as it is", () => {
    expect(errorWords(new PageError("The token endpoint refused."))).toBe("The token endpoint refused.");
  });

  it("tell a microphone that is denied from a room that cannot be joined", () => {
    expect(errorWords(DENIED)).toMatch(/^The microphone could not be turned on: the browser is not allowed to use it\. /);
    expect(errorWords(new Error("no route"))).toMatch(/^The room could not be joined: no route\. /);
    expect(errorWords("?")).toMatch(/^Joining failed/);
  });

  it("ask for the LiveKit server only where it does not answer", () => {
    expect(errorWords(ConnectionError.serverUnreachable("Failed to fetch"))).toMatch(/Is the LiveKit server running\?$/);
    const answered = [ConnectionError.websocket("no"), ConnectionError.notAllowed("no", 401), ConnectionError.internal("no")];
    for (const error of [...answered, new Error("no"), new DOMException("no", "AbortError")]) {
      expect(errorWords(error)).not.toMatch(/running/);
    }
    expect(errorWords(ConnectionError.websocket("no"))).toMatch(/it may be full/);
  });

  it("name the microphone that does not start, or does not fit", () => {
    for (const name of ["AbortError", "OverconstrainedError"]) {
      expect(errorWords(new DOMException("no", name))).toMatch(/^The microphone could not be turned on: /);
    }
  });

  it("say what to do about sound that stays off", () => {
    for (const error of [DENIED, new Error("no"), "?"]) {
      expect(soundWords(error)).toMatch(/^The sound could not be turned on: .*then press Turn on sound again\.$/);
    }
  });

  it("never speak of joining when it is about muting", () => {
    for (const error of [DENIED, new Error("device lost"), "?"]) {
      expect(microphoneWords(error, "on")).toMatch(/^The microphone could not be turned on: /);
      expect(microphoneWords(error, "off")).toMatch(/^The microphone could not be turned off: /);
      expect(microphoneWords(error, "on")).not.toMatch(/join/i);
    }
  });
});

describe("the words before joining", () => {
  it("say that what is said may leave the room", () => {
    expect(page).toContain("Your speech is sent to this room and to the services that its agent uses.");
  });
});
