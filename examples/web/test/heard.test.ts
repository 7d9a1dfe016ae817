import { describe, expect, it } from "vitest";
import { hear, SILENT } from "../src/heard";
import { Levels, SLICE_MS } from "../src/levels";

describe("hear", () => {
  it("bridges the pauses between words, and dates silence back to the last sound", () => {
    let heard = hear(SILENT, 0.2, 1000);
    heard = hear(heard, 0, 1200);
    heard = hear(heard, 0.2, 1300);
    expect(heard).toMatchObject({ speaking: true, since: 1000 });
    heard = hear(hear(heard, 0, 1700), 0, 1800);
    expect(heard).toMatchObject({ speaking: false, since: 1300 });
  });

  it("takes no notice of faint noise", () => {
    expect(hear(SILENT, 0.001, 1000).speaking).toBe(false);
  });
});

describe("Levels", () => {
  it("keeps the loudest of each slice, and only so many", () => {
    const levels = new Levels(2);
    levels.add(0, 0.2);
    levels.add(1, 0.5);
    levels.add(2, 0.1);
    expect(levels.since(0)).toEqual([{ at: 0, value: 0.5 }]);
    levels.add(SLICE_MS, 3);
    levels.add(2 * SLICE_MS, -1);
    expect(levels.since(0).map((level) => level.value)).toEqual([1, 0]);
  });
});
