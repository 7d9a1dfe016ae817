import { describe, expect, it } from "vitest";
import { newestAgent, People, type Person } from "../src/people";

function person(identity: string, isAgent: boolean, joined = 0): Person {
  return { sid: `PA_${identity}`, identity, isAgent, joinedAt: new Date(joined) };
}

describe("the newest agent", () => {
  it("is the one that joined last, in whatever order they are listed", () => {
    const [dead, next, visitor] = [person("dead", true, 1000), person("next", true, 2000), person("visitor", false, 3000)];
    expect(newestAgent([dead, next, visitor])).toBe(next);
    expect(newestAgent([next, visitor, dead])).toBe(next);
    expect(newestAgent([visitor])).toBeNull();
  });

  it("is the one listed last where both joined in one second", () => {
    expect(newestAgent([person("dead", true), person("next", true)])?.identity).toBe("next");
  });
});

describe("who speaks", () => {
  const people = new People();
  people.see([person("clerk", true), person("other", false)]);

  it("is told by the identity, of an agent that has left too", () => {
    expect(people.speaker("me", "me")).toBe("you");
    people.see([]);
    expect(people.speaker("clerk", "me")).toBe("agent");
  });

  it("is nobody for this page where it is another visitor, here or gone, or somebody never seen", () => {
    expect(people.speaker("other", "me")).toBeNull();
    people.see([]);
    expect(people.speaker("other", "me")).toBeNull();
    expect(people.speaker("stranger", "me")).toBeNull();
  });
});
