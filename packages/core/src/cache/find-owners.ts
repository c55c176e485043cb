import { join } from 'node:path';
import { readFileSync } from './file-calls.ts';
import type { Survey } from './survey.ts';

/** Steps by the fingerprint of their stored result, as `step (pipeline file)`. */
export type Owners = ReadonlyMap<string, ReadonlySet<string>>;

const isStepEvent = (line: string): boolean =>
  line.startsWith('{"kind":"step-ended"') || line.startsWith('{"kind":"step-started"');

/** Finds which steps stored results belong to, from the events of all runs that are there. */
export function findOwners(survey: Survey): Owners {
  const owners = new Map<string, Set<string>>();
  for (const run of survey.runs) {
    let text: string;
    try {
      text = readFileSync(join(run.path, 'events.ndjson'), 'utf8');
    } catch {
      continue;
    }
    for (const line of text.split('\n')) {
      if (!isStepEvent(line)) continue;
      // The event writer's order: the step comes before anything that a step itself told.
      const stepId = /"stepId":"((?:[^"\\]|\\.)*)"/.exec(line)?.[1];
      const fingerprint = /"fingerprint":"([0-9a-f]{64})"/.exec(line)?.[1];
      if (stepId === undefined || fingerprint === undefined) continue;
      const known = owners.get(fingerprint) ?? new Set();
      owners.set(fingerprint, known.add(`${stepId} (${run.pipelineFile})`));
    }
  }
  return owners;
}
