import { describe, expect, it } from "vitest";
import { Alerts } from "../src/alerts";

describe("alerts", () => {
  it("show the weightiest sentence, and the other one once that is settled", () => {
    const alerts = new Alerts();
    alerts.set("agent", "No agent.");
    alerts.set("microphone", "No microphone.");
    expect(alerts.shown).toBe("No microphone.");
    alerts.set("microphone", null);
    expect(alerts.shown).toBe("No agent.");
  });

  it("say nothing where all is well", () => {
    const alerts = new Alerts();
    alerts.set("visit", "Gone.");
    alerts.clear();
    expect([alerts.shown, alerts.has("visit")]).toEqual([null, false]);
  });
});
