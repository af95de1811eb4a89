// The rules of a suite, field by field, in the words that stand under the field.
// The same rules as in core, which has the last word when the suite is saved.

/** One prompt while it is edited; `max_tokens` is what stands in the field. */
export interface DraftPrompt {
  id: string;
  category: "short" | "medium" | "long";
  title: string;
  prompt: string;
  max_tokens: string;
}

/** A suite while it is edited. */
export interface DraftSuite {
  name: string;
  description: string;
  prompts: DraftPrompt[];
}

export type PromptField = "id" | "prompt" | "max_tokens";

/** What is wrong; empty lists when nothing is. */
export interface SuiteProblems {
  name: string | null;
  prompts: Partial<Record<PromptField, string>>[];
  /** Said of the whole suite. */
  whole: string | null;
  count: number;
}

/** Most prompts that a suite may hold. */
export const MAX_PROMPTS = 1_000;
/** The largest limit of an answer that the suite's form can hold. */
const MAX_TOKENS = 4_294_967_295;

/** The answer limit that stands in the field; null when it is not a whole number from 1. */
export function parseMaxTokens(text: string): number | null {
  const plain = text.replace(/[,\s\u00a0\u202f]/g, "");
  if (!/^\d{1,10}$/.test(plain)) return null;
  const value = Number(plain);
  return value >= 1 && value <= MAX_TOKENS ? value : null;
}

/** Checks the draft; `taken` are the names of the other suites. */
export function checkSuite(suite: DraftSuite, taken: readonly string[]): SuiteProblems {
  const name = checkName(suite.name, taken);
  const ids = new Map<string, number>();
  for (const prompt of suite.prompts) ids.set(prompt.id, (ids.get(prompt.id) ?? 0) + 1);
  const prompts = suite.prompts.map((prompt) => {
    const problems: Partial<Record<PromptField, string>> = {};
    if (!/^[A-Za-z0-9_-]+$/.test(prompt.id)) problems.id = "Use letters, digits, - and _.";
    else if ((ids.get(prompt.id) ?? 0) > 1) problems.id = "This id stands twice in the suite.";
    if (prompt.prompt.trim() === "") problems.prompt = "The prompt is empty.";
    if (parseMaxTokens(prompt.max_tokens) === null) problems.max_tokens = "A whole number, 1 or more.";
    return problems;
  });
  let whole: string | null = null;
  if (suite.prompts.length === 0) whole = "A suite needs at least one prompt.";
  if (suite.prompts.length > MAX_PROMPTS) whole = "A suite holds at most 1,000 prompts.";
  const count =
    prompts.reduce((sum, problems) => sum + Object.keys(problems).length, 0) + (name ? 1 : 0) + (whole ? 1 : 0);
  return { name, prompts, whole, count };
}

/** Why a suite can't have this name; null when it can. */
export function checkName(name: string, taken: readonly string[]): string | null {
  const wanted = name.trim();
  if (wanted === "") return "The suite needs a name.";
  if (taken.some((other) => other.toLowerCase() === wanted.toLowerCase())) return `Another suite is named ${wanted}.`;
  return null;
}

/** `name`, or with a number behind it when it is taken. */
export function freeName(name: string, taken: readonly string[]): string {
  if (checkName(name, taken) === null) return name;
  for (let number = 2; ; number++) {
    const tried = `${name} ${number}`;
    if (checkName(tried, taken) === null) return tried;
  }
}

/** An id that no prompt has yet: `short-1`, `short-2`, … */
export function freeId(category: DraftPrompt["category"], prompts: readonly DraftPrompt[]): string {
  const taken = new Set(prompts.map((prompt) => prompt.id));
  for (let number = 1; ; number++) {
    const tried = `${category}-${number}`;
    if (!taken.has(tried)) return tried;
  }
}
