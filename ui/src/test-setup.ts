import "@testing-library/jest-dom/vitest";

// jsdom draws nothing and measures nothing; charts ask for both
if (!("ResizeObserver" in globalThis)) {
  globalThis.ResizeObserver = class {
    observe(): void {}
    unobserve(): void {}
    disconnect(): void {}
  };
}
if (typeof globalThis.matchMedia !== "function") {
  globalThis.matchMedia = (query: string): MediaQueryList =>
    ({ matches: false, media: query, onchange: null, addEventListener() {}, removeEventListener() {}, addListener() {}, removeListener() {}, dispatchEvent: () => false }) as MediaQueryList;
}
HTMLCanvasElement.prototype.getContext = () => null;
