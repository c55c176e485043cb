/** A schedule as a person writes it: `schedules/NAME.yaml`. */
import { createRequire } from 'node:module';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import type { Schedule } from '../graph/graph.ts';
import { parseDocument } from '../language/document.ts';
import { explainSchemaErrors } from '../language/explain-schema.ts';
import { scheduleSchema } from '../language/pipeline-schema.ts';
import { readSource } from '../language/read-source.ts';
import { checkSchedule } from '../language/schedule.ts';
import { validateValue } from '../language/schema-validator.ts';
import { codeOf } from '../util/files.ts';
import { writeFileAtomically } from './disk.ts';

/** What a schedule starts, and when. */
export interface ScheduleDefinition extends Schedule {
  /** Path of the pipeline file, from the project. */
  readonly pipeline: string;
  /** As `--set` takes them. */
  readonly set?: readonly string[];
  /** From the project. */
  readonly params_file?: string;
  readonly profile?: string;
}

/** A definition by its name, or what is wrong with its file. */
export interface FoundDefinition {
  readonly name: string;
  readonly definition?: ScheduleDefinition;
  readonly diagnostics: readonly Diagnostic[];
}

const text = { type: 'string', minLength: 1 } as const;

const definitionSchema = {
  ...scheduleSchema,
  required: ['pipeline', 'cron'],
  properties: {
    pipeline: { ...text, description: 'The pipeline file, from the project.', examples: ['pipeline.yaml'] },
    ...scheduleSchema.properties,
    set: { type: 'array', items: text, description: 'Changed params.', examples: ['[lr=1e-4]'] },
    params_file: { ...text, description: 'A file of params, from the project.' },
    profile: { ...text, description: 'One of the profiles of the pipeline.' },
  },
} as const;

const wording = {
  owner: 'The schedule',
  noun: 'key',
  codes: { wrong: 'WRONG_TYPE', unknown: 'UNKNOWN_KEY' },
} as const;

/** Where the schedules of a project lie: files that people keep, and a hidden folder of what the scheduler remembers. */
export const schedulesDir = 'schedules';

/** A name that is a file name everywhere. */
export const isScheduleName = (name: string): boolean => /^[\p{L}\p{N}][\p{L}\p{N}._-]{0,99}$/u.test(name);

const fileOf = (name: string): string => `${schedulesDir}/${name}.yaml`;

/** Names of all schedules of a project, sorted. */
export function listScheduleNames(projectDir: string): readonly string[] {
  try {
    return readdirSync(join(projectDir, schedulesDir))
      .flatMap((name) => (name.endsWith('.yaml') ? [name.slice(0, -'.yaml'.length)] : []))
      .filter(isScheduleName)
      .sort();
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
}

const require = createRequire(import.meta.url);

/** Reads and checks one schedule; undefined where there is none. */
export function readDefinition(projectDir: string, name: string): FoundDefinition | undefined {
  const file = fileOf(name);
  const found = readSource(projectDir, file);
  if ('problem' in found) {
    if (found.problem === 'missing') return undefined;
    const problem = { code: 'FILE_UNREADABLE', severity: 'error', message: found.message } as const;
    return { name, diagnostics: [problem] };
  }
  const yaml = require('yaml') as typeof import('yaml'); // The package's own types.
  const { document, diagnostics: problems } = parseDocument(yaml, { file, text: found.text });
  if (document === undefined) return { name, diagnostics: problems };
  const diagnostics = [
    ...problems,
    ...explainSchemaErrors(validateValue(definitionSchema, document.value), document, wording),
  ];
  if (diagnostics.some(({ severity }) => severity === 'error')) return { name, diagnostics };
  const definition = document.value as ScheduleDefinition; // The schema has just been checked.
  checkSchedule(definition, document, (diagnostic) => void diagnostics.push(diagnostic), []);
  const isGood = !diagnostics.some(({ severity }) => severity === 'error');
  return { name, diagnostics, ...(isGood ? { definition } : {}) };
}

/** All schedules of a project, by name. */
export const readDefinitions = (projectDir: string): readonly FoundDefinition[] =>
  listScheduleNames(projectDir).flatMap((name) => readDefinition(projectDir, name) ?? []);

/** Writes a schedule, for people to read and change. */
export function writeDefinition(projectDir: string, name: string, definition: ScheduleDefinition): string {
  const yaml = require('yaml') as typeof import('yaml'); // The package's own types.
  const file = fileOf(name);
  const head = `# When \`joyul schedule start\` runs ${definition.pipeline}; \`joyul schedule show ${name}\` tells what came of it.\n`;
  writeFileAtomically(join(projectDir, file), head + yaml.stringify(definition, { lineWidth: 0 }), {
    isDurable: true,
  });
  return file;
}

/** Removes a schedule's file. */
export function removeDefinition(projectDir: string, name: string): void {
  rmSync(join(projectDir, fileOf(name)), { force: true });
}
