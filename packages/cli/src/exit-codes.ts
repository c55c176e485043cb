/** What the command's exit codes mean. */
export const exitCodes = {
  done: 0,
  stepFailed: 1,
  badPipeline: 2,
  gateRefused: 3,
  wouldRun: 10,
  checkpointed: 75,
  interrupted: 130,
} as const;
