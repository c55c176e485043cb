import type { JsonObject, Ports } from '@joyul/plugin-api';
import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import type { ResolvedPlugin, RetryPolicy } from '../graph/graph.ts';
import type { UnlinkedStep } from '../graph/unlinked-step.ts';
import type { PluginCatalog, PluginProblem } from '../graph/plugin-catalog.ts';
import { findNearest } from '../util/suggest.ts';
import type { ParsedDocument } from './document.ts';
import type { EvaluateParts } from './evaluate-value.ts';
import { evaluateCondition, evaluateValue } from './evaluate-value.ts';
import { explainSchemaErrors, showValue } from './explain-schema.ts';
import type { Scope } from './expression.ts';
import { isSecret } from './expression.ts';
import type { MatrixInstance, MatrixValues } from './matrix.ts';
import { axesOf, countProduct, expandMatrix, formatInstanceId, maxInstances } from './matrix.ts';
import type { PipelineSpec, StepSpec } from './pipeline-spec.ts';
import { validateValue } from './schema-validator.ts';
import type { StepSet } from './sets.ts';
import { setAt } from './sets.ts';
import type { TreePath } from './tree.ts';
import { parseDuration, parseSize } from './units.ts';

type Fields = Readonly<Record<string, unknown>>;

const isRecord = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** What making steps needs. */
export interface StepParts {
  readonly spec: PipelineSpec;
  readonly document: ParsedDocument;
  readonly catalog: PluginCatalog;
  readonly cores: number;
  readonly pools: Readonly<Record<string, number>>;
  /** `params`, `env`, `secrets` and `run`. */
  readonly scope: Scope;
  readonly sets: readonly StepSet[];
  readonly report: (diagnostic: Diagnostic) => void;
}

/** Makes steps of their declarations: plugins found, matrices expanded, expressions computed, params checked. */
export async function makeSteps(parts: StepParts): Promise<readonly UnlinkedStep[]> {
  const specs = Object.entries(parts.spec.steps);
  const names = [...new Set(specs.map(([, spec]) => spec.uses))];
  // Plugins load at the same time; each is asked for once, whatever the number of steps.
  const found = new Map(
    await Promise.all(names.map(async (uses) => [uses, await parts.catalog.resolve(uses)] as const)),
  );
  return specs.flatMap(([id, spec]) => {
    const plugin = found.get(spec.uses);
    if (plugin === undefined) throw new Error(`Internal error: nothing was resolved for ${spec.uses}.`);
    const maker = new StepMaker(id, spec, parts);
    if (!('problem' in plugin)) return maker.make(plugin);
    maker.reportPlugin(plugin);
    return [];
  });
}

/** One schema object a plugin, so that it is compiled once. */
const schemas = new WeakMap<object, object>();

function schemaOf({ plugin }: ResolvedPlugin): object {
  const own = plugin.params as unknown as object; // A TypeBox schema is a JSON Schema.
  const known = schemas.get(own) ?? { additionalProperties: false, ...own };
  schemas.set(own, known);
  return known;
}

class StepMaker {
  readonly #id: string;
  readonly #spec: StepSpec;
  readonly #parts: StepParts;
  readonly #path: TreePath;

  constructor(id: string, spec: StepSpec, parts: StepParts) {
    this.#id = id;
    this.#spec = spec;
    this.#parts = parts;
    this.#path = ['steps', id];
  }

  reportPlugin({ problem, message }: PluginProblem): void {
    const { catalog, document, report } = this.#parts;
    const { uses } = this.#spec;
    const nearest = findNearest(uses, catalog.knownNames);
    const packageName = /[/@]/.test(uses) ? uses : `joyul-step-${uses}`;
    report({
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

  make(plugin: ResolvedPlugin): readonly UnlinkedStep[] {
    const instances = this.#expand();
    // What every instance may name, so that `include` may give a value to some instances only.
    const absent = Object.fromEntries(
      instances.flatMap(({ values }) => Object.keys(values).map((axis) => [axis, null])),
    );
    const ids = new Set<string>();
    return instances.flatMap((instance) => {
      const id = formatInstanceId(this.#id, instance.axes);
      if (ids.has(id)) this.#reportDuplicate(id);
      ids.add(id);
      return this.#makeInstance(id, plugin, instance, { ...absent, ...instance.values }) ?? [];
    });
  }

  #reportDuplicate(id: string): void {
    this.#parts.report({
      code: 'MATRIX_DUPLICATE',
      severity: 'error',
      message: `Two instances have the name "${id}".`,
      range: this.#parts.document.rangeOfKey([...this.#path, 'matrix']),
      help: 'Remove the repeated value.',
    });
  }

  #expand(): readonly MatrixInstance[] {
    const { document, report, scope } = this.#parts;
    if (this.#spec.matrix === undefined) return [{ axes: {}, values: {} }];
    const path = [...this.#path, 'matrix'];
    const range = document.rangeOfKey(path);
    const matrix = this.#evaluate(this.#spec.matrix, path, scope);
    if (!isRecord(matrix) || !this.#checkAxes(matrix, path)) return [];
    if (countProduct(matrix) > maxInstances) {
      const message = `The matrix of "${this.#id}" has ${countProduct(matrix)} instances; at most ${maxInstances} can be run.`;
      report({ code: 'MATRIX_TOO_LARGE', severity: 'error', message, range, help: 'Use fewer values.' });
      return [];
    }
    const instances = expandMatrix(matrix);
    if (instances.length === 0)
      report({
        code: 'MATRIX_EMPTY',
        severity: 'error',
        message: `The matrix of "${this.#id}" has no instance.`,
        range,
        help: 'Give it an axis with values, and exclude fewer.',
      });
    return instances;
  }

  #checkAxes(matrix: MatrixValues, path: TreePath): boolean {
    const { document, report } = this.#parts;
    const axes = Object.keys(axesOf(matrix));
    let isRight = true;
    for (const axis of axes) {
      if (Array.isArray(matrix[axis])) continue;
      isRight = false;
      // An expression that could not be computed has been told already.
      if (matrix[axis] === undefined) continue;
      report({
        code: 'WRONG_TYPE',
        severity: 'error',
        message: `The axis "${axis}" must be a list of values, but is ${showValue(matrix[axis])}.`,
        range: document.rangeOf([...path, axis]),
        help: `Write a list: \`${axis}: [...]\`.`,
      });
    }
    const excluded = Array.isArray(matrix['exclude']) ? matrix['exclude'].filter(isRecord) : [];
    for (const [index, pattern] of excluded.entries()) {
      for (const axis of Object.keys(pattern).filter((key) => !axes.includes(key))) {
        const nearest = findNearest(axis, axes);
        isRight = false;
        report({
          code: 'MATRIX_AXIS',
          severity: 'error',
          message: `The matrix of "${this.#id}" has no axis "${axis}".`,
          range: document.rangeOfKey([...path, 'exclude', index, axis]),
          help: nearest === undefined ? `Its axes are ${axes.join(', ')}.` : `Did you mean "${nearest}"?`,
        });
      }
    }
    return isRight;
  }

  #evaluate(value: unknown, path: TreePath, scope: Scope): unknown {
    return evaluateValue(value, path, { scope, document: this.#parts.document, report: this.#parts.report });
  }

  #makeInstance(
    id: string,
    plugin: ResolvedPlugin,
    instance: MatrixInstance,
    values: MatrixValues,
  ): UnlinkedStep | undefined {
    const { document, report } = this.#parts;
    const scope = { ...this.#parts.scope, matrix: values };
    const evaluation: EvaluateParts = { scope, document, report };
    const params = this.#makeParams(plugin, scope);
    const environment = this.#makeEnvironment(scope);
    const timeoutMs = this.#readDuration('timeout', this.#spec.timeout, scope);
    const { cache } = this.#spec;
    const step = {
      id,
      group: this.#id,
      plugin,
      retry: this.#makeRetry(scope),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      resources: this.#makeResources(plugin, scope),
      cache: cache === false ? 'off' : cache === true || cache === undefined ? 'rw' : cache,
      ...environment,
      isEnabled: evaluateCondition(this.#spec.if ?? true, [...this.#path, 'if'], evaluation),
      range: document.rangeOfKey(this.#path),
      axes: instance.axes,
      wires: this.#makeWires(),
      portRange: (port: string) => document.rangeOfKey([...this.#path, 'inputs', port]),
    } as const;
    if (params === undefined)
      return { ...step, params: {}, outputs: plugin.plugin.outputs, workspace: {}, isBroken: true };
    const extra: Ports = plugin.plugin.outputsFor?.(params) ?? {};
    const outputs = { ...plugin.plugin.outputs, ...extra };
    return { ...step, params, outputs, workspace: plugin.plugin.workspace?.(params) ?? {} };
  }

  #makeParams(plugin: ResolvedPlugin, scope: Scope): JsonObject | undefined {
    const { document, sets } = this.#parts;
    const path = [...this.#path, 'with'];
    let isBroken = false;
    const report = (diagnostic: Diagnostic): void => {
      isBroken ||= diagnostic.severity === 'error';
      this.#parts.report(diagnostic);
    };
    const hasWith = this.#spec.with !== undefined;
    let value = evaluateValue(this.#spec.with ?? {}, path, { scope, document, report }) as Record<
      string,
      unknown
    >; // A map gives a map.
    // What an expression should have given is not there: the schema would only tell it again.
    if (isBroken) return undefined;
    for (const set of sets) if (set.step === this.#id) value = setAt(value, set.path, set.value);
    const locator = {
      rangeOf: (inner: readonly string[]) =>
        hasWith ? document.rangeOf([...path, ...inner]) : document.rangeOfKey(this.#path),
      rangeOfKey: (inner: readonly string[]) =>
        document.rangeOfKey(hasWith ? [...path, ...inner] : this.#path),
    };
    const errors = explainSchemaErrors(validateValue(schemaOf(plugin), value), locator, {
      owner: `The step "${this.#id}"`,
      noun: 'param',
      codes: { wrong: 'PARAM_TYPE', unknown: 'PARAM_UNKNOWN' },
    });
    errors.forEach(report);
    if (errors.length > 0) return undefined;
    for (const issue of plugin.plugin.check?.(value) ?? []) {
      report({
        code: `${plugin.plugin.name}/${issue.code}`,
        severity: 'error',
        message: issue.message,
        range: locator.rangeOf(issue.path),
        ...(issue.help === undefined ? {} : { help: issue.help }),
      });
    }
    return isBroken ? undefined : (value as JsonObject); // YAML and JSON give JSON values.
  }

  /** Variables whose value is a secret are kept apart: the value is looked up when the step starts. */
  #makeEnvironment(scope: Scope): Pick<UnlinkedStep, 'environment' | 'secretEnvironment'> {
    const values = this.#evaluate(this.#spec.environment ?? {}, [...this.#path, 'environment'], scope);
    const entries = Object.entries(isRecord(values) ? values : {});
    const secrets = entries.flatMap(([key, value]) =>
      isSecret(value) ? [[key, value.$secret] as const] : [],
    );
    const plain = entries
      .filter(([, value]) => !isSecret(value) && value !== null && value !== undefined)
      .map(([key, value]) => [key, typeof value === 'string' ? value : JSON.stringify(value)] as const);
    return {
      environment: Object.fromEntries(plain),
      ...(secrets.length === 0 ? {} : { secretEnvironment: Object.fromEntries(secrets) }),
    };
  }

  #makeWires(): UnlinkedStep['wires'] {
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

  #reportValue(path: TreePath, label: string, must: string, value: unknown): void {
    this.#parts.report({
      code: 'WRONG_TYPE',
      severity: 'error',
      message: `"${label}" must be ${must}, but is ${showValue(value)}.`,
      range: this.#parts.document.rangeOf([...this.#path, ...path]),
    });
  }

  #readDuration(key: string, written: unknown, scope: Scope): number | undefined {
    if (written === undefined) return undefined;
    const path = key.split('.');
    const value = this.#evaluate(written, [...this.#path, ...path], scope);
    const durationMs = parseDuration(value);
    if (durationMs === undefined && value !== undefined)
      this.#reportValue(path, key, 'a duration such as 30s, 10m or 2h', value);
    return durationMs;
  }

  #makeRetry(scope: Scope): RetryPolicy {
    const retry = this.#spec.retry ?? {};
    const attempts = this.#evaluate(retry['attempts'] ?? 1, [...this.#path, 'retry', 'attempts'], scope);
    const isCount = typeof attempts === 'number' && Number.isInteger(attempts) && attempts >= 1;
    if (!isCount && attempts !== undefined)
      this.#reportValue(['retry', 'attempts'], 'retry.attempts', 'a whole number of at least 1', attempts);
    const number = (key: string, fallback: number): number => {
      const value = retry[key];
      return typeof value === 'number' ? value : fallback;
    };
    const codes = retry['on'];
    return {
      attempts: isCount ? attempts : 1,
      delayMs: this.#readDuration('retry.delay', retry['delay'], scope) ?? 1000,
      factor: number('factor', 2),
      maxDelayMs: this.#readDuration('retry.max_delay', retry['max_delay'], scope) ?? 300_000,
      jitter: number('jitter', 0.1),
      ...(Array.isArray(codes) ? { on: codes as readonly (string | number)[] } : {}), // The schema has checked the items.
    };
  }

  /** What a step takes: tensors use every core, so such a step has them all unless it says otherwise. */
  #makeResources(plugin: ResolvedPlugin, scope: Scope): Readonly<Record<string, number>> {
    const { cores, pools } = this.#parts;
    const own = plugin.plugin.usesTensors === true ? cores : 1;
    const taken: Record<string, number> = { cpu: Math.min(own, pools['cpu'] ?? own) };
    for (const [name, written] of Object.entries(this.#spec.resources ?? {})) {
      const value = this.#evaluate(written, [...this.#path, 'resources', name], scope);
      const amount = parseSize(value);
      if (amount !== undefined) taken[name] = this.#checkPool(name, amount);
      else if (value !== undefined)
        this.#reportValue(['resources', name], `resources.${name}`, 'a number, or a size such as 4GB', value);
    }
    return taken;
  }

  #checkPool(name: string, amount: number): number {
    const { document, pools, report } = this.#parts;
    const path = [...this.#path, 'resources', name];
    const capacity = Object.hasOwn(pools, name) ? pools[name] : undefined;
    if (capacity === undefined) {
      const nearest = findNearest(name, Object.keys(pools));
      report({
        code: 'POOL_UNKNOWN',
        severity: 'error',
        message: `There is no pool "${name}".`,
        range: document.rangeOfKey(path),
        help:
          nearest === undefined
            ? `Declare it: \`pools: { ${name}: ${amount} }\`.`
            : `Did you mean "${nearest}"?`,
      });
      return amount;
    }
    if (amount <= capacity) return amount;
    // A pipeline written on a larger machine still runs here, one step at a time.
    const isMachine = name === 'cpu' || name === 'memory';
    report({
      code: 'POOL_EXCEEDED',
      severity: isMachine ? 'warning' : 'error',
      message: `The step "${this.#id}" takes ${amount} from the pool "${name}", which has ${capacity}${isMachine ? '; it gets all of it' : ''}.`,
      range: document.rangeOf(path),
      help: `Take at most ${capacity}, or raise \`pools.${name}\`.`,
    });
    return capacity;
  }
}
