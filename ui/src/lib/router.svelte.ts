// Where the window is: the hash of its address, so that the shell, a link and a test can all go there.

/** Asked before another place is shown. False keeps the page; `proceed` goes there after all. */
type Guard = (proceed: () => void) => boolean;

/** A place such as `runs`, `run/12`, `settings/general`, `popover`. */
class Router {
  route = $state(read());
  #guard: Guard | null = null;

  constructor() {
    window.addEventListener("hashchange", () => {
      const wanted = read();
      if (wanted === this.route) return;
      if (this.#guard?.(() => this.#show(wanted)) === false) history.replaceState(null, "", `#/${this.route}`);
      else this.route = wanted;
    });
  }

  /** Goes there, unless a page with unsaved changes asks first. */
  go(route: string): void {
    if (route !== this.route && this.#guard?.(() => this.#show(route)) === false) return;
    this.#show(route);
  }

  /** Sets who is asked before the page is left; the returned function ends it. */
  guardWith(guard: Guard): () => void {
    this.#guard = guard;
    return () => {
      if (this.#guard === guard) this.#guard = null;
    };
  }

  /** First part: `run` of `run/12`. */
  get page(): string {
    return this.route.split("/")[0] ?? "";
  }

  /** Second part: `12` of `run/12`; empty without one. */
  get detail(): string {
    return this.route.split("/")[1] ?? "";
  }

  #show(route: string): void {
    this.route = route;
    location.hash = `#/${route}`;
  }
}

function read(): string {
  return location.hash.replace(/^#\/?/, "") || "runs";
}

export const router = new Router();
