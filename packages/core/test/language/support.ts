import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Ports, StepPlugin, WorkspaceUse } from '@joyul/plugin-api';
import type { Diagnostic } from '../../src/diagnostics/diagnostic.ts';
import { formatDiagnostic } from '../../src/diagnostics/diagnostic.ts';
import type { Graph } from '../../src/graph/graph.ts';
import type { PluginCatalog } from '../../src/graph/plugin-catalog.ts';
import type { Selection } from '../../src/graph/select-steps.ts';
import { selectSteps } from '../../src/graph/select-steps.ts';
import type { LoadOptions, LoadResult } from '../../src/language/load-pipeline.ts';
import { loadPipeline } from '../../src/language/load-pipeline.ts';
import { findMissingFiles } from '../../src/plan/missing-files.ts';

type PluginParts = Partial<Pick<StepPlugin, 'check' | 'outputsFor' | 'usesTensors' | 'workspace'>>;

/** A plugin that does nothing; `params` is a JSON Schema. */
export function makePlugin(
  name: string,
  params: object,
  inputs: Ports,
  outputs: Ports,
  more: PluginParts = {},
): StepPlugin {
  return {
    name,
    revision: 1,
    summary: name,
    params: params as StepPlugin['params'], // A plain JSON Schema, without its static type.
    inputs,
    outputs,
    run: () => Promise.resolve(),
    ...more,
  };
}

const dataset = { type: 'dataset' } as const;
const any = { type: 'object' };

/** Small plugins with the ports of the usual nine steps. */
export const plugins: readonly StepPlugin[] = [
  makePlugin(
    'prepare',
    { type: 'object', properties: { source: { type: 'string' } } },
    {},
    {
      dataset,
      test: { type: 'test-split' },
    },
    {
      workspace: (params) => {
        const { source } = params as { readonly source?: string }; // The schema has checked it.
        return source === undefined ? {} : { reads: [source] };
      },
    },
  ),
  makePlugin('select', any, { dataset }, { model: { type: 'base-model' } }),
  makePlugin('strategy', any, { dataset, model: { type: 'base-model' } }, { strategy: { type: 'strategy' } }),
  makePlugin('hparams', any, { dataset }, { hparams: { type: 'hparams' } }),
  makePlugin(
    'init',
    any,
    { model: { type: 'base-model' }, strategy: { type: 'strategy' } },
    { weights: { type: 'weights' } },
  ),
  makePlugin(
    'train',
    {
      type: 'object',
      required: ['epochs'],
      properties: {
        epochs: { type: 'integer', minimum: 1, examples: [3] },
        rate: { type: 'number', exclusiveMinimum: 0, default: 0.001 },
        shuffle: { type: 'boolean', default: true },
        method: { anyOf: [{ const: 'full' }, { const: 'lora' }] },
        token: { type: 'string', minLength: 5 },
        layers: { type: 'array', items: { type: 'string' } },
      },
    },
    { dataset, weights: { type: 'weights', optional: true }, hparams: { type: 'hparams', optional: true } },
    { model: { type: 'trained-model' } },
    {
      check: (params) =>
        (params as { readonly epochs: number }).epochs > 100 // The schema has checked it.
          ? [
              {
                path: ['epochs'],
                code: 'TOO_LONG',
                message: '"epochs" is more than anybody waits for.',
                help: 'Write 100.',
              },
            ]
          : [],
    },
  ),
  makePlugin(
    'evaluate',
    any,
    { model: { type: 'trained-model' }, dataset },
    { metrics: { type: 'metrics' } },
  ),
  makePlugin(
    'compare',
    any,
    { models: { type: 'trained-model', many: true } },
    { metrics: { type: 'metrics' } },
  ),
  makePlugin(
    'test',
    any,
    { model: { type: 'trained-model' }, split: { type: 'test-split' } },
    { metrics: { type: 'metrics' } },
  ),
  makePlugin(
    'deploy',
    any,
    { model: { type: 'trained-model' }, metrics: { type: 'metrics', optional: true } },
    { deployment: { type: 'deployment' } },
  ),
  makePlugin(
    'copy',
    {
      type: 'object',
      properties: {
        outputs: { type: 'array', items: { type: 'string' } },
        reads: { type: 'array', items: { type: 'string' } },
        writes: { type: 'object' },
      },
    },
    { files: { type: 'files', optional: true, many: true } },
    {},
    {
      outputsFor: (params) =>
        Object.fromEntries(
          ((params as { readonly outputs?: readonly string[] }).outputs ?? []).map((port) => [
            port,
            { type: 'files' },
          ]),
        ),
      workspace: (params) => params as WorkspaceUse, // The schema has checked it.
    },
  ),
];

/** A catalog of plugins that are in memory. */
export function makeCatalog(known: readonly StepPlugin[] = plugins): PluginCatalog {
  return {
    knownNames: known.map((plugin) => plugin.name),
    resolve(uses) {
      if (uses === 'broken')
        return Promise.resolve({
          problem: 'invalid',
          message: 'joyul-step-broken is installed, but its default export is not a step plugin.',
        });
      const plugin = known.find((candidate) => candidate.name === uses);
      return Promise.resolve(
        plugin === undefined
          ? { problem: 'unknown', message: `No installed package is the plugin "${uses}".` }
          : {
              packageName: `@joyul/step-${uses}`,
              version: '1.0.0',
              entry: '/plugin.js',
              codeDigest: 'digest',
              plugin,
            },
      );
    },
  };
}

/** A pipeline text, or its files by name; the pipeline is `p.yaml`. */
export type Files = string | Readonly<Record<string, string | Uint8Array>>;

/** How a pipeline is loaded, and what the command line asks of it then. */
export interface LoadParts extends Partial<LoadOptions> {
  readonly selection?: Selection;
  /** Whether files that steps read must be there. */
  readonly needsFiles?: boolean;
}

/** Loads a pipeline from files that exist only for that. */
export async function load(files: Files, parts: LoadParts = {}): Promise<LoadResult> {
  const { selection, needsFiles, ...options } = parts;
  const projectDir = mkdtempSync(join(tmpdir(), 'joyul-language-'));
  try {
    for (const [name, text] of Object.entries(typeof files === 'string' ? { 'p.yaml': files } : files)) {
      mkdirSync(dirname(join(projectDir, name)), { recursive: true });
      writeFileSync(join(projectDir, name), text);
    }
    const result = await loadPipeline({
      projectDir,
      file: 'p.yaml',
      catalog: makeCatalog(),
      cores: 4,
      memoryBytes: 8e9,
      env: {},
      ...options,
    });
    if (!result.ok) return result;
    const more: Diagnostic[] = [];
    if (selection !== undefined)
      selectSteps(result.graph, selection, (found) => void more.push(found), result.places);
    if (needsFiles === true) more.push(...findMissingFiles(result.graph, result.places));
    return { ...result, diagnostics: [...result.diagnostics, ...more] };
  } finally {
    rmSync(projectDir, { recursive: true, force: true });
  }
}

/** All that is told about a pipeline, as it is printed. */
export async function explain(files: Files, parts: LoadParts = {}): Promise<string> {
  const { diagnostics } = await load(files, parts);
  return `\n${diagnostics.map((diagnostic) => formatDiagnostic(diagnostic)).join('\n\n')}\n`;
}

/** The graph of a pipeline without errors. */
export async function graphOf(files: Files, options: LoadParts = {}): Promise<Graph> {
  const result = await load(files, options);
  if (result.ok && result.diagnostics.every(({ severity }) => severity === 'warning')) return result.graph;
  throw new Error(result.diagnostics.map((diagnostic) => formatDiagnostic(diagnostic)).join('\n\n'));
}

/** A short pipeline with one more section. */
export const withSteps = (steps: string, more = ''): string => `name: p\n${more}steps:\n${steps}`;
