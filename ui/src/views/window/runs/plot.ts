/** Width of the plot in the history, in pixels. */
export const WIDTH = 126;
