import { afterEach, describe, expect, it } from "vitest";
import { router } from "./router.svelte";

afterEach(() => router.go("runs"));

describe("router", () => {
  it("goes to a place and knows its parts", () => {
    router.go("run/12");
    expect([router.page, router.detail, location.hash]).toEqual(["run", "12", "#/run/12"]);
  });
  it("stays while a page with changes asks, and goes once it is told to", () => {
    router.go("suite");
    let proceed: (() => void) | null = null;
    const end = router.guardWith((go) => {
      proceed = go;
      return false;
    });
    router.go("runs");
    expect(router.route).toBe("suite");
    end();
    (proceed as (() => void) | null)?.();
    expect(router.route).toBe("runs");
  });
  it("keeps the page when the address is changed by hand or by Back", async () => {
    router.go("suite");
    await new Promise((done) => setTimeout(done, 20));
    const end = router.guardWith(() => false);
    location.hash = "#/runs";
    await new Promise((done) => setTimeout(done, 20));
    expect([router.route, location.hash]).toEqual(["suite", "#/suite"]);
    end();
  });
});
