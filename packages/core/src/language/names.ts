/**
 * Names of steps, params, axes, pools, inputs and outputs: they stand in references, ids and terminals, where blanks
 * and these characters have a meaning, and where invisible characters would deceive.
 */
const forbidden =
  '\\s.@,=/"\\\\{}\\[\\]\\u0000-\\u001f\\u007f-\\u009f\\u200b\\u200e\\u200f\\u202a-\\u202e\\u2060-\\u2069\\ufeff';

/** Matches what may stand in a name. */
export const namePattern = new RegExp(`^[^${forbidden}]+$`, 'u');

/** The pattern of names in schemas. */
export const nameSource = `^(?!__proto__$)[^${forbidden}]+$`;

/** The pattern of names of steps: references use `inputs` for what the pipeline is given. */
export const stepNameSource = `^(?!(?:__proto__|inputs)$)[^${forbidden}]+$`;
