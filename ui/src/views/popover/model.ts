// How a model is named in the popover. Pure.
import type { ModelSummary } from "../../lib/backend/bindings";

/** The name for people, or the server's key when it gives none. */
export function modelName(model: ModelSummary): string {
  return model.display_name ?? model.key;
}

/** Format and quantization as on the chip, `MLX 4-bit`; `null` when neither is known. */
export function modelChip(model: ModelSummary): string | null {
  const format = model.format === null ? null : model.format.toUpperCase();
  const width = model.quantization ?? (model.bits_per_weight === null ? null : `${model.bits_per_weight}-bit`);
  const parts = [format, width].filter((part) => part !== null && part !== "");
  return parts.length === 0 ? null : parts.join(" ");
}
