import { mount } from "svelte";
import App from "./App.svelte";
import "./tokens.css";
import "./app.css";
import { connect } from "./lib/backend";
import { problem } from "./lib/problem.svelte";

window.addEventListener("unhandledrejection", (event) => problem.show(event.reason));

const target = document.getElementById("app");
if (target) {
  try {
    await connect();
    mount(App, { target });
  } catch (error) {
    // without a backend there is no view to say it in
    console.error(error);
    target.textContent = `Joulebar could not open this window. ${error instanceof Error ? error.message : String(error)}`;
  }
}
