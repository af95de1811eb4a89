/** macOS draws its three buttons over the page, which then moves the window where it is pressed. */
export const lights: boolean = navigator.platform.startsWith("Mac");
/** Value of `data-tauri-drag-region` for what the window can be moved by. */
export const dragged: "" | undefined = lights ? "" : undefined;
