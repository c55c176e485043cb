/** A share in words: `93.6 %`. */
export const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** A probability as tables have it. */
export const formatP = (pValue: number): string => (pValue < 0.001 ? '< 0.001' : pValue.toPrecision(2));

/** A probability in words: `p = 0.031`. */
export const sayP = (pValue: number): string => (pValue < 0.001 ? 'p < 0.001' : `p = ${formatP(pValue)}`);
