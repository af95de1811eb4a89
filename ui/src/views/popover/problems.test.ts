import { describe, expect, it } from "vitest";
import { host, powerCaption, powerProblem, problems, sentence, serverProblem } from "./problems";
import { reading, snapshot } from "./fixtures";

describe("the words beside the large figure", () => {
  it("name the scope while readings come", () => {
    expect(powerCaption({ state: "live", reading })).toBe("GPU + CPU + ANE");
  });
  it("say how old a held reading is", () => {
    expect(powerCaption({ state: "held", reading, age_s: 2.94 })).toBe("held, 2.9\u00a0s old");
  });
  it("give the age of the last sample in whole seconds, never rounded up", () => {
    expect(powerCaption({ state: "stale", age_s: 6.9 })).toBe("No new sample for 6\u00a0s");
  });
  it("give the reason where there is no reading", () => {
    expect(powerCaption({ state: "none", reason: "not_permitted", message: "" })).toBe("Helper not approved");
  });
});

describe("problems", () => {
  it("are none when power and a model are there", () => {
    expect(problems(snapshot())).toEqual([]);
  });
  it("come with power first", () => {
    const found = problems(
      snapshot({
        power: { state: "none", reason: "helper_missing", message: "joulebar-helper was not found" },
        server: { state: "not_running", url: "http://localhost:1234" },
      }),
    );
    expect(found.map((problem) => problem.title)).toEqual(["Power can’t be read", "LM Studio isn’t running"]);
  });
  it("are not made of a source that is only starting or held", () => {
    expect(powerProblem({ state: "starting" })).toBeNull();
    expect(powerProblem({ state: "held", reading, age_s: 3 })).toBeNull();
  });
  it("name the server by host and port", () => {
    expect(serverProblem({ state: "not_running", url: "http://localhost:1234/" })?.text).toBe(
      "No answer from localhost:1234. Open LM Studio and start its server in the Developer tab.",
    );
  });
  it("always have a button", () => {
    for (const reason of ["helper_missing", "not_permitted", "protocol_mismatch", "unavailable", "ended", "paused"] as const) {
      expect(powerProblem({ state: "none", reason, message: "why" })?.buttons.length).toBeGreaterThan(0);
    }
    const url = "http://localhost:1234";
    expect(serverProblem({ state: "token_needed", url })?.buttons[0].action).toBe("server_settings");
    expect(serverProblem({ state: "token_refused", url })?.buttons[0].action).toBe("server_settings");
    expect(serverProblem({ state: "failed", url, message: "why" })?.buttons[0].action).toBe("check_server");
    expect(serverProblem({ state: "no_model", url, models: [] })?.buttons[0].action).toBe("choose_model");
  });
});

describe("small words", () => {
  it("make a message a sentence once", () => {
    expect(sentence("the helper ended")).toBe("The helper ended.");
    expect(sentence("Loading the model…")).toBe("Loading the model…");
    expect(sentence("")).toBe("");
  });
  it("strip scheme and path from an address", () => {
    expect(host("https://mac.local:8080/v1")).toBe("mac.local:8080");
  });
});
