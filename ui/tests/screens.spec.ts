import AxeBuilder from "@axe-core/playwright";
import { expect, type Page, test } from "@playwright/test";

const POPOVER = ["live", "running", "finished", "interrupted", "failed", "none", "stale", "held", "not_running", "no_model", "token", "unfinished"];
const SCREENS: readonly [name: string, address: string][] = [
  ...POPOVER.map((state): [string, string] => [`popover-${state}`, `?state=${state}#/popover`]),
  ["runs", "#/runs"],
  ["runs-none", "?state=no_runs#/runs"],
  ["run", "#/run/15"],
  ["suite", "#/suite"],
  ...["general", "measurement", "lm-studio", "helper", "cost", "diagnostics"].map((page): [string, string] => [`settings-${page}`, `#/settings/${page}`]),
  ...["off", "approval", "ready", "silent"].map((service): [string, string] => [`helper-${service}`, `?service=${service}#/settings/helper`]),
  ["welcome", "?state=welcome#/welcome"],
];

/** Opens a screen; what the console says or a promise loses is a failure of the test. */
async function open(page: Page, address: string): Promise<string[]> {
  const complaints: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.goto(`/${address}`);
  await page.locator("#app > *").first().waitFor();
  await page.waitForTimeout(300);
  return complaints;
}

for (const theme of ["light", "dark"] as const) {
  for (const [name, address] of SCREENS) {
    test(`${name} in ${theme} is complete and has no serious finding of axe`, async ({ browser }) => {
      const viewport = name.startsWith("popover") ? { width: 360, height: 560 } : { width: 1080, height: 720 };
      for (const deviceScaleFactor of [1, 2]) {
        const context = await browser.newContext({ viewport, colorScheme: theme, deviceScaleFactor });
        const page = await context.newPage();
        const complaints = await open(page, address);
        await page.screenshot({ path: `../target/screenshots/${name}-${theme}-${deviceScaleFactor}x.png` });
        if (deviceScaleFactor === 1) {
          const { violations } = await new AxeBuilder({ page }).analyze();
          const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
          expect(serious.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" ")}`)).toEqual([]);
        }
        expect(complaints).toEqual([]);
        await context.close();
      }
    });
  }
}

for (const [name, address] of [["popover-live", "?state=live#/popover"], ["runs", "#/runs"], ["settings-general", "#/settings/general"]] as const) {
  test(`every control of ${name} is reached by Tab and has a name`, async ({ page }) => {
    await open(page, address);
    const wanted = await page.locator("button:enabled, select:enabled, input:enabled:not([type=radio]), textarea:enabled").count();
    const reached = new Set<string>();
    for (let step = 0; step < wanted * 2 + 20; step++) {
      await page.keyboard.press("Tab");
      const control = await page.evaluate(() => {
        const element = document.activeElement;
        if (!element || element === document.body) return null;
        const labels = element instanceof HTMLInputElement ? [...(element.labels ?? [])].map((label) => label.innerText).join(" ") : "";
        const named = element.getAttribute("aria-label") ?? element.getAttribute("aria-labelledby") ?? `${labels}${(element as HTMLElement).innerText ?? ""}`;
        return { place: `${element.tagName} ${[...document.querySelectorAll("*")].indexOf(element)}`, named: named.trim() };
      });
      if (!control) continue;
      expect(control.named, control.place).not.toBe("");
      reached.add(control.place);
    }
    expect(reached.size).toBeGreaterThan(Math.min(3, wanted - 1));
  });
}
