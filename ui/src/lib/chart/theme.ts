// Colours of charts, read from the page's variables; read again when the theme changes.

/** Colours by their variable's name. */
export type Theme = (variable: string) => string;

/** Reads the variables as they are now. */
export function readTheme(element: Element): Theme {
  const style = getComputedStyle(element);
  const known = new Map<string, string>();
  return (variable) => {
    let value = known.get(variable);
    if (value === undefined) {
      value = style.getPropertyValue(variable).trim() || "gray";
      known.set(variable, value);
    }
    return value;
  };
}

/** Calls back when light, dark or contrast change; the returned function ends that. */
export function onThemeChange(changed: () => void): () => void {
  const queries = ["(prefers-color-scheme: dark)", "(prefers-contrast: more)"].map((query) => matchMedia(query));
  for (const query of queries) query.addEventListener("change", changed);
  const observer = new MutationObserver(changed);
  observer.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  return () => {
    for (const query of queries) query.removeEventListener("change", changed);
    observer.disconnect();
  };
}
