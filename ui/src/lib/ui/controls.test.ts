import { fireEvent, render, screen } from "@testing-library/svelte";
import { createRawSnippet, tick } from "svelte";
import { describe, expect, it, vi } from "vitest";
import Dialog from "./Dialog.svelte";
import Field from "./Field.svelte";
import Menu from "./Menu.svelte";
import RailCells from "./RailCells.svelte";
import Segments from "./Segments.svelte";
import Select from "./Select.svelte";
import Switch from "./Switch.svelte";

const words = (text: string) => createRawSnippet(() => ({ render: () => `<span>${text}</span>` }));

describe("controls", () => {
  it("segments are a named radio group with one choice", async () => {
    const onchange = vi.fn();
    render(Segments, { label: "Preset", options: [{ value: "quick", label: "Quick" }, { value: "full", label: "Full" }], value: "full", onchange });
    expect(screen.getByRole("radiogroup", { name: "Preset" })).toBeInTheDocument();
    expect(screen.getByRole("radio", { name: "Full" })).toBeChecked();
    await fireEvent.click(screen.getByRole("radio", { name: "Quick" }));
    expect(onchange).toHaveBeenCalledWith("quick");
  });

  it("a switch says whether it is on", async () => {
    const onchange = vi.fn();
    render(Switch, { label: "Launch at login", checked: true, onchange });
    const control = screen.getByRole("switch", { name: "Launch at login" });
    expect(control).toHaveAttribute("aria-checked", "true");
    await fireEvent.click(control);
    expect(onchange).toHaveBeenCalledWith(false);
  });

  it("a pop-up gives back one of its own values", async () => {
    const onchange = vi.fn();
    render(Select, { label: "Interval", options: [{ value: "250", label: "250 ms" }, { value: "1000", label: "1 s" }], value: "250", onchange });
    await fireEvent.change(screen.getByRole("combobox", { name: "Interval" }), { target: { value: "1000" } });
    expect(onchange).toHaveBeenCalledWith("1000");
  });

  it("a wrong field is marked as invalid", () => {
    render(Field, { label: "Address", value: "nonsense", wrong: true });
    expect(screen.getByRole("textbox", { name: "Address" })).toBeInvalid();
  });

  it("a dialog asks, and Cancel takes it back", async () => {
    const oncancel = vi.fn();
    render(Dialog, { title: "Delete this run?", text: "Its samples are deleted too.", oncancel, children: words("Delete") });
    expect(screen.getByRole("dialog", { name: "Delete this run?" })).toHaveAccessibleDescription("Its samples are deleted too.");
    await fireEvent.click(screen.getByRole("button", { name: "Cancel" }));
    expect(oncancel).toHaveBeenCalledOnce();
  });

  it("rail cells show a measured zero, and what isn't reported as not available", () => {
    render(RailCells, { reading: { end_ns: 0, soc_mw: 5000, cpu_mw: 1000, gpu_mw: 4000, ane_mw: 0, dram_mw: null, system_mw: null, scope: "GPU + CPU + ANE" } });
    expect(screen.getByText("ANE").parentElement).toHaveTextContent("ANE 0 mW");
    expect(screen.getByText("System").parentElement).toHaveTextContent("not available");
    expect(screen.queryByText("DRAM")).toBeNull();
  });
});

describe("a menu", () => {
  async function open(): Promise<{ json: () => void; csv: () => void }> {
    const run = { json: vi.fn(), csv: vi.fn() };
    render(Menu, { items: [{ label: "JSON…", keys: "⌘E", run: run.json }, { label: "CSV samples…", run: run.csv }, { label: "HTML report…", disabled: true, run: vi.fn() }], children: words("Export") });
    await fireEvent.click(screen.getByRole("button", { name: "Export" }));
    await tick();
    return run;
  }

  it("opens with the focus on its first item and shows the keys", async () => {
    await open();
    expect(screen.getByRole("menuitem", { name: "JSON…" })).toHaveFocus();
    expect(screen.getByText("⌘E")).toBeInTheDocument();
  });

  it("moves by arrows over what can be chosen, around its ends", async () => {
    await open();
    const menu = screen.getByRole("menu");
    await fireEvent.keyDown(menu, { key: "ArrowDown" });
    expect(screen.getByRole("menuitem", { name: "CSV samples…" })).toHaveFocus();
    await fireEvent.keyDown(menu, { key: "ArrowDown" });
    expect(screen.getByRole("menuitem", { name: "JSON…" })).toHaveFocus();
    await fireEvent.keyDown(menu, { key: "End" });
    expect(screen.getByRole("menuitem", { name: "CSV samples…" })).toHaveFocus();
  });

  it("closes by Esc and gives the focus back", async () => {
    await open();
    await fireEvent.keyDown(screen.getByRole("menu"), { key: "Escape" });
    expect(screen.queryByRole("menu")).toBeNull();
    expect(screen.getByRole("button", { name: "Export" })).toHaveFocus();
  });

  it("does what was chosen, once", async () => {
    const run = await open();
    await fireEvent.click(screen.getByRole("menuitem", { name: "CSV samples…" }));
    expect(run.csv).toHaveBeenCalledOnce();
    expect(run.json).not.toHaveBeenCalled();
    expect(screen.queryByRole("menu")).toBeNull();
  });
});
