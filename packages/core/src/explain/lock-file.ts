import { parse, stringify } from 'yaml';
import type { Lock } from './lock.ts';

const header = `# Made by \`joyul lock\`: what the last run that succeeded was made of. Commit it; do not edit it.
# \`joyul lock --check\` says what would be different now.
`;

/** A lock's name: \`train.yaml\` has \`train.lock.yaml\` beside it. */
export const lockFileOf = (pipelineFile: string): string =>
  pipelineFile.replace(/\.ya?ml$/, '') + '.lock.yaml';

/** A lock as YAML, one fact a line. */
export function formatLock(lock: Lock): string {
  const steps = Object.entries(lock.steps).map(([id, step]) => [
    id,
    // Empty maps say nothing.
    Object.fromEntries(Object.entries(step).filter(([, value]) => JSON.stringify(value) !== '{}')),
  ]);
  const content = { ...lock, steps: Object.fromEntries(steps) as unknown }; // From entries.
  return header + stringify(content, { lineWidth: 0, aliasDuplicateObjects: false });
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A lock from its text, or what is wrong with it in words. */
export function parseLock(text: string): Lock | string {
  let content: unknown;
  try {
    content = parse(text);
  } catch (error) {
    const [line = ''] = error instanceof Error ? error.message.split('\n') : [];
    return `it is not YAML (${line.replace(/:$/, '')})`;
  }
  if (!isRecord(content) || !isRecord(content['steps'])) return 'it has no steps';
  if (content['version'] !== 1) return `its version is ${String(content['version'])}, and this Joyul reads 1`;
  const steps = Object.entries(content['steps']).map(([id, step]) => [
    id,
    { environment: {}, files: {}, inputs: {}, outputs: {}, params: {}, ...(isRecord(step) ? step : {}) },
  ]);
  return { ...content, steps: Object.fromEntries(steps) as unknown } as Lock; // Written by formatLock; other shapes show as differences.
}
