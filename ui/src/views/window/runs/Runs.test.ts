import { fireEvent, render, screen, waitFor, within } from "@testing-library/svelte";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { connect, type Backend } from "../../../lib/backend";
import { makeReplay } from "../../../lib/backend/replay";
import { live } from "../../../lib/live/live.svelte";
import { router } from "../../../lib/router.svelte";
import Runs from "./Runs.svelte";
import { PAGE, RunList } from "./list.svelte";

let backend: Backend;

async function open(query: string): Promise<void> {
  backend = makeReplay(new URLSearchParams(query));
  await connect(backend);
  await backend.watch((message) => live.take(message));
  render(Runs);
  await waitFor(() => expect(screen.getByRole("heading", { name: "Runs" })).toBeVisible());
}

const lines = (): HTMLElement[] => screen.getAllByRole("row").slice(1);
const rows = async (n: number): Promise<HTMLElement[]> => {
  await waitFor(() => expect(lines()).toHaveLength(n));
  return lines();
};

beforeEach(() => {
  vi.useRealTimers();
  router.go("runs");
});

describe("the history", () => {
  it("shows each run with its figure, its state and that it is simulated", async () => {
    await open("state=live&runs=4");
    const [first, , third] = await rows(4);
    expect(first).toHaveTextContent(/baseline.*n = 1.*Completed.*Simulated/s);
    expect(third).toHaveTextContent(/no figure.*Interrupted/s);
  });
  it("is sorted by a header and turned round by the same one", async () => {
    await open("state=live&runs=4");
    await rows(4);
    await fireEvent.click(screen.getByRole("button", { name: /J\/token, net/ }));
    await waitFor(() => expect(screen.getByRole("columnheader", { name: /J\/token, net/ })).toHaveAttribute("aria-sort", "ascending"));
    await fireEvent.click(screen.getByRole("button", { name: /J\/token, net/ }));
    await waitFor(() => expect(screen.getByRole("columnheader", { name: /J\/token, net/ })).toHaveAttribute("aria-sort", "descending"));
  });
  it("says when nothing matches and clears the filter", async () => {
    await open("state=live&runs=4");
    await rows(4);
    await fireEvent.input(screen.getByRole("searchbox"), { target: { value: "no such run" } });
    await waitFor(() => expect(screen.getByText("No runs match")).toBeVisible());
    await fireEvent.click(screen.getByRole("button", { name: "Clear Filter" }));
    await rows(4);
  });
  it("offers a run when there is none yet", async () => {
    await open("state=no_runs");
    await waitFor(() => expect(screen.getByText("No runs yet")).toBeVisible());
    expect(screen.getByText("A Quick run takes about 5 minutes and shows what a token costs on this Mac.")).toBeVisible();
  });
  it("offers to resume what was interrupted", async () => {
    await open("state=unfinished");
    const resume = vi.spyOn(backend, "resumeRun");
    expect(screen.getByRole("status")).toHaveTextContent("was interrupted after 4 of 9 prompts");
    await fireEvent.click(screen.getByRole("button", { name: "Resume" }));
    expect(resume).toHaveBeenCalledWith(13);
  });
  it("that can only be read says so and deletes nothing", async () => {
    await open("state=read_only&runs=2");
    await rows(2);
    expect(screen.getByText(/The history can only be read/)).toBeVisible();
    const grid = screen.getByRole("grid");
    await fireEvent.keyDown(grid, { key: "ArrowDown" });
    await fireEvent.keyDown(grid, { key: "Delete" });
    expect(screen.queryByRole("dialog")).toBeNull();
  });
});

describe("the keyboard", () => {
  it("moves, selects and opens", async () => {
    await open("state=live&runs=4");
    await rows(4);
    const grid = screen.getByRole("grid");
    await fireEvent.keyDown(grid, { key: "ArrowDown" });
    await waitFor(() => expect(lines()[0]).toHaveAttribute("aria-selected", "true"));
    await fireEvent.keyDown(grid, { key: "ArrowDown", shiftKey: true });
    await waitFor(() => expect(screen.getByText("2 selected")).toBeVisible());
    await fireEvent.keyDown(grid, { key: "a", metaKey: true });
    await waitFor(() => expect(screen.getByText("4 selected")).toBeVisible());
    await fireEvent.keyDown(grid, { key: "Enter" });
    expect(router.route).toBe("run/3");
  });
  it("deletes after asking with the exact words", async () => {
    await open("state=live&runs=4");
    await rows(4);
    const grid = screen.getByRole("grid");
    await fireEvent.keyDown(grid, { key: "ArrowDown" });
    await waitFor(() => expect(lines()[0]).toHaveAttribute("aria-selected", "true"));
    await fireEvent.keyDown(grid, { key: "Backspace" });
    const dialog = await screen.findByRole("dialog");
    expect(dialog).toHaveTextContent(/Delete this run\?\s*Its samples are deleted too\./);
    await fireEvent.click(within(dialog).getByRole("button", { name: "Cancel" }));
    await rows(4);
    await fireEvent.keyDown(grid, { key: "Delete" });
    await fireEvent.click(within(await screen.findByRole("dialog")).getByRole("button", { name: "Delete" }));
    await rows(3);
  });
  it("renames in place, and Esc leaves the name", async () => {
    await open("state=live&runs=4");
    await rows(4);
    const grid = screen.getByRole("grid");
    await fireEvent.keyDown(grid, { key: "F2" });
    let field = await screen.findByRole("textbox", { name: "Name of the run" });
    expect(field).toHaveValue("baseline");
    await fireEvent.input(field, { target: { value: "night" } });
    await fireEvent.keyDown(field, { key: "Escape" });
    await waitFor(() => expect(lines()[0]).toHaveTextContent("baseline"));
    await fireEvent.keyDown(grid, { key: "F2" });
    field = await screen.findByRole("textbox", { name: "Name of the run" });
    await fireEvent.input(field, { target: { value: " night " } });
    await fireEvent.keyDown(field, { key: "Enter" });
    await waitFor(() => expect(lines()[0]).toHaveTextContent("night"));
  });
});

describe("a long history", () => {
  it("is read page by page, where it is looked at", async () => {
    backend = makeReplay(new URLSearchParams("runs=10000"));
    const asked = vi.spyOn(backend, "listRuns");
    const list = new RunList(backend);
    await list.reload();
    expect([list.total, list.pages.size]).toEqual([10_000, 1]);
    expect(list.at(0)?.id).toBe(10_000);
    expect(list.at(5000)).toBeUndefined();
    await list.ensure(5000, 5020);
    expect(list.at(5000)?.id).toBe(5000);
    await list.ensure(5000, 5020);
    expect(asked).toHaveBeenCalledTimes(2);
    expect(asked.mock.calls[1]?.[0]).toMatchObject({ limit: PAGE, offset: 5000 });
  });
  it("selects ranges and all across pages not seen yet", async () => {
    backend = makeReplay(new URLSearchParams("runs=2500"));
    const list = new RunList(backend);
    await list.reload();
    await list.choose(10, "only");
    await list.choose(310, "range");
    expect(list.selected.size).toBe(301);
    await list.selectAll();
    expect(list.selected.size).toBe(2500);
  });
  it("shows an answer that comes late only if it is still asked for", async () => {
    backend = makeReplay(new URLSearchParams("runs=20"));
    const list = new RunList(backend);
    const real = backend.listRuns.bind(backend);
    let release: () => void = () => {};
    vi.spyOn(backend, "listRuns").mockImplementationOnce(async (query) => {
      await new Promise<void>((resolve) => (release = resolve));
      return real(query);
    });
    const late = list.reload();
    list.text = "baseline";
    await list.reload();
    const total = list.total;
    release();
    await late;
    expect(list.total).toBe(total);
  });
});
