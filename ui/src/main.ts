import { mount } from "svelte";
import App from "./App.svelte";
import "./tokens.css";
import "./app.css";
import { connect } from "./lib/backend";
import { problem } from "./lib/problem.svelte";

window.addEventListener("unhandledrejection", (event) => problem.show(event.reason));

const target = document.getElementById("app");
if (target) {
  await connect();
  mount(App, { target });
}
