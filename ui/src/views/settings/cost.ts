// What an amount of energy costs at the user's rates. Derived, never measured; a rate that isn't set gives no figure.

/** Joules in a kilowatt-hour. */
const J_PER_KWH = 3.6e6;

/** The user's rates; null = not set. */
export interface Rates {
  pricePerKwh: number | null;
  co2GPerKwh: number | null;
}

/** Energy in kWh, money in the user's currency, carbon dioxide in grams; null where a rate is missing. */
export interface Cost {
  energyKwh: number;
  money: number | null;
  co2G: number | null;
}

/** The cost of `tokens` output tokens at `joulesPerToken`; null when the energy is missing. */
export function costOfTokens(joulesPerToken: number | null, tokens: number, rates: Rates): Cost | null {
  if (joulesPerToken === null) return null;
  const energyKwh = (joulesPerToken * tokens) / J_PER_KWH;
  const times = (rate: number | null) => (rate === null ? null : energyKwh * rate);
  return { energyKwh, money: times(rates.pricePerKwh), co2G: times(rates.co2GPerKwh) };
}
