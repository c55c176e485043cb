import type { Ports } from '@joyul/plugin-api';
import type { SourceRange } from '../diagnostics/source.ts';
import type { ResolvedPlugin } from '../graph/graph.ts';
import type { PluginProblem } from '../graph/plugin-catalog.ts';
import { factsOf } from '../graph/plugin-facts.ts';
import type {
  DeclaredInput,
  DeclaredOutput,
  UnlinkedPart,
  UnlinkedPipeline,
  UnlinkedStep,
  Wire,
} from '../graph/unlinked-step.ts';
import { findNearest } from '../util/suggest.ts';
import type { ParsedDocument } from './document.ts';
import { evaluateCondition } from './evaluate-value.ts';
import { readGates } from './gates.ts';
import { maxInstances } from './matrix.ts';
import type { PipelineFile } from './pipeline-files.ts';
import type { PipelineSpec, StepSpec } from './pipeline-spec.ts';
import { findReadPlaces } from './read-places.ts';
import type { StepInstance } from './step-matrix.ts';
import { StepMatrix } from './step-matrix.ts';
import { makeParams } from './step-params.ts';
import { makeSettings } from './step-settings.ts';
import type { PipelineParts, StepSite } from './step-site.ts';
import { readUse } from './use-pipeline.ts';

type Part = UnlinkedStep | UnlinkedPipeline;

/** Makes the steps of one pipeline instance: plugins found, matrices and pipelines expanded, params checked. */
export function makePipeline(
  parts: PipelineParts,
  use: Pick<UnlinkedPipeline, 'axes' | 'wires' | 'portRange' | 'range'>,
): UnlinkedPipeline {
  const { document, file, id, group } = parts;
  const spec = document.value as PipelineSpec; // The schema has checked it.
  return {
    ...use,
    id,
    group,
    file: file.file,
    inputs: readInputs(spec, document),
    outputs: readOutputs(spec, document),
    declared: Object.keys(spec.steps),
    parts: Object.entries(spec.steps).flatMap(([name, step]) => new StepMaker(name, step, parts).make()),
  };
}

function readInputs(spec: PipelineSpec, document: ParsedDocument): Readonly<Record<string, DeclaredInput>> {
  return Object.fromEntries(
    Object.entries(spec.inputs ?? {}).map(([name, { type, optional, many }]) => {
      const flags = {
        ...(optional === true ? { optional } : {}),
        ...(many === true ? { many } : {}),
      };
      return [name, { port: { type, ...flags }, range: document.rangeOfKey(['inputs', name]) }];
    }),
  );
}

function readOutputs(spec: PipelineSpec, document: ParsedDocument): Readonly<Record<string, DeclaredOutput>> {
  return Object.fromEntries(
    Object.entries(spec.outputs ?? {}).map(([name, output]) => {
      const path = ['outputs', name];
      const isText = typeof output === 'string';
      const from = {
        text: isText ? output : output.from,
        range: document.rangeOf(isText ? path : [...path, 'from']),
      };
      const type = isText ? undefined : output.type;
      return [name, { from, range: document.rangeOfKey(path), ...(type === undefined ? {} : { type }) }];
    }),
  );
}

class StepMaker {
  readonly #name: string;
  readonly #spec: StepSpec;
  readonly #parts: PipelineParts;
  readonly #path: readonly string[];

  constructor(name: string, spec: StepSpec, parts: PipelineParts) {
    this.#name = name;
    this.#spec = spec;
    this.#parts = parts;
    this.#path = ['steps', name];
  }

  make(): readonly Part[] {
    const { shared, document, file, scope } = this.#parts;
    const used = file.uses.get(this.#name);
    const plugin = shared.plugins.get(this.#spec.uses);
    if (used === undefined && plugin === undefined)
      throw new Error(`Internal error: nothing was resolved for ${this.#spec.uses}.`);
    if (plugin !== undefined && 'problem' in plugin) {
      this.#reportPlugin(plugin);
      return [];
    }
    const evaluation = { scope, document, report: shared.report };
    const matrix = new StepMatrix(this.#name, [...this.#path, 'matrix'], evaluation);
    return matrix.expand(this.#spec.matrix).flatMap((instance): readonly Part[] => {
      if (!this.#count()) return [];
      const made =
        used !== undefined
          ? this.#makeUse(used, instance)
          : plugin === undefined
            ? undefined
            : this.#makeStep(plugin, instance);
      return made === undefined ? [] : [made];
    });
  }

  /** Counts a step; false, and told, when there are too many. */
  #count(): boolean {
    const { shared, document } = this.#parts;
    if (++shared.count.steps <= maxInstances) return true;
    if (shared.count.steps === maxInstances + 1)
      shared.report({
        code: 'MATRIX_TOO_LARGE',
        severity: 'error',
        message: `The pipeline has more than ${maxInstances} steps, from "${this.#name}" on.`,
        range: document.rangeOfKey(this.#path),
        help: 'Use fewer values in matrices, or fewer pipelines in pipelines.',
      });
    return false;
  }

  #reportPlugin({ problem, message }: PluginProblem): void {
    const { shared, document } = this.#parts;
    const { uses } = this.#spec;
    const nearest = findNearest(uses, shared.catalog.knownNames);
    const packageName = /[/@]/.test(uses) ? uses : `joyul-step-${uses}`;
    shared.report({
      code: problem === 'unknown' ? 'PLUGIN_UNKNOWN' : 'PLUGIN_INVALID',
      severity: 'error',
      message,
      range: document.rangeOf([...this.#path, 'uses']),
      help:
        problem === 'invalid'
          ? 'Update the package, or use another.'
          : nearest === undefined
            ? `Install it with \`npm install ${packageName}\`.`
            : `Did you mean "${nearest}"?`,
    });
  }

  #site({ values }: StepInstance): StepSite {
    const range = this.#parts.document.rangeOfKey(this.#path);
    const scope = { ...this.#parts.scope, matrix: values };
    return { pipeline: this.#parts, name: this.#name, spec: this.#spec, path: this.#path, scope, range };
  }

  /** What a step has, whatever it uses. */
  #makeCommon({ id, axes }: StepInstance, site: StepSite): UnlinkedPart & { readonly isEnabled: boolean } {
    const { document, shared, isEnabled } = this.#parts;
    const inside = (name: string, own: string): string => (own === '' ? name : `${own}/${name}`);
    const evaluation = { scope: site.scope, document, report: shared.report };
    const condition = evaluateCondition(this.#spec.if ?? true, [...this.#path, 'if'], evaluation);
    return {
      id: inside(id, this.#parts.id),
      group: inside(this.#name, this.#parts.group),
      axes,
      wires: this.#makeWires(),
      portRange: (port: string): SourceRange => document.rangeOfKey([...this.#path, 'inputs', port]),
      range: site.range,
      isEnabled: isEnabled && condition,
    };
  }

  #makeUse(used: PipelineFile, instance: StepInstance): UnlinkedPipeline | undefined {
    const { shared, sets } = this.#parts;
    const site = this.#site(instance);
    const { id, group, isEnabled, ...use } = this.#makeCommon(instance, site);
    const read = readUse(used, site);
    if (read === undefined) return undefined;
    const prefix = `${this.#name}/`;
    const inner = sets
      .filter(({ step }) => step.startsWith(prefix))
      .map((set) => ({ ...set, step: set.step.slice(prefix.length) }));
    return makePipeline({ shared, file: used, ...read, sets: inner, id, group, isEnabled }, use);
  }

  #makeStep(plugin: ResolvedPlugin, instance: StepInstance): UnlinkedStep {
    const { document, shared } = this.#parts;
    const site = this.#site(instance);
    const evaluation = { scope: site.scope, document, report: shared.report };
    const params = makeParams(plugin, site);
    const gates = readGates(this.#spec.gates ?? [], [...this.#path, 'gates'], evaluation);
    const { isEnabled, ...common } = this.#makeCommon(instance, site);
    const outputs: Ports =
      params === undefined
        ? plugin.plugin.outputs
        : { ...plugin.plugin.outputs, ...plugin.plugin.outputsFor?.(params) };
    const workspace = params === undefined ? {} : (plugin.plugin.workspace?.(params) ?? {});
    const { id, group } = common;
    const step = {
      id,
      group,
      plugin: factsOf(plugin),
      params: params ?? {},
      outputs,
      workspace,
      ...makeSettings(plugin, site),
      ...(gates.length === 0 ? {} : { gates }),
      isEnabled,
    };
    const reads = findReadPlaces(workspace.reads ?? [], params ?? {}, site);
    return { ...common, plugin, outputs, reads, step, ...(params === undefined ? { isBroken: true } : {}) };
  }

  #makeWires(): Readonly<Record<string, readonly Wire[]>> {
    const { document } = this.#parts;
    return Object.fromEntries(
      Object.entries(this.#spec.inputs ?? {}).map(([port, value]) => {
        const path = [...this.#path, 'inputs', port];
        const wires =
          typeof value === 'string'
            ? [{ text: value, range: document.rangeOf(path) }]
            : value.map((text, index) => ({ text, range: document.rangeOf([...path, index]) }));
        return [port, wires];
      }),
    );
  }
}
