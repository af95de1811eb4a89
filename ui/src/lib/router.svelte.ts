// Where the window is: the hash of its address, so that the shell, a link and a test can all go there.

/** A place such as `runs`, `run/12`, `settings/general`, `popover`. */
class Router {
  route = $state(read());

  constructor() {
    window.addEventListener("hashchange", () => (this.route = read()));
  }

  /** Goes there. */
  go(route: string): void {
    location.hash = `#/${route}`;
    this.route = route;
  }

  /** First part: `run` of `run/12`. */
  get page(): string {
    return this.route.split("/")[0] ?? "";
  }

  /** Second part: `12` of `run/12`; empty without one. */
  get detail(): string {
    return this.route.split("/")[1] ?? "";
  }
}

function read(): string {
  return location.hash.replace(/^#\/?/, "") || "runs";
}

export const router = new Router();
