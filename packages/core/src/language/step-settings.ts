/** What a step says about how it runs: retries, time limit, resources, environment. */
import type { GraphStep, ResolvedPlugin, RetryPolicy } from '../graph/graph.ts';
import { findNearest } from '../util/suggest.ts';
import { evaluateValue } from './evaluate-value.ts';
import { showValue } from './explain-schema.ts';
import { isSecret } from './expression.ts';
import { machinePools } from './pools.ts';
import type { StepSite } from './step-site.ts';
import type { TreePath } from './tree.ts';
import { parseDuration, parseSize } from './units.ts';

type Settings = Pick<
  GraphStep,
  'retry' | 'timeoutMs' | 'resources' | 'cache' | 'environment' | 'secretEnvironment'
>;

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Reads the settings of one instance of a step. */
export function makeSettings(plugin: ResolvedPlugin, site: StepSite): Settings {
  const reader = new SettingsReader(site);
  const timeoutMs = reader.readDuration('timeout', site.spec.timeout);
  const { cache } = site.spec;
  return {
    retry: reader.readRetry(),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    resources: reader.readResources(plugin),
    cache: cache === false ? 'off' : cache === true || cache === undefined ? 'rw' : cache,
    ...reader.readEnvironment(),
  };
}

class SettingsReader {
  readonly #site: StepSite;

  constructor(site: StepSite) {
    this.#site = site;
  }

  #evaluate(written: unknown, path: TreePath): unknown {
    const { pipeline, scope } = this.#site;
    const { document, shared } = pipeline;
    return evaluateValue(written, [...this.#site.path, ...path], { scope, document, report: shared.report });
  }

  #reportValue(path: TreePath, must: string, value: unknown): void {
    const { document, shared } = this.#site.pipeline;
    shared.report({
      code: 'WRONG_TYPE',
      severity: 'error',
      message: `"${path.join('.')}" must be ${must}, but is ${showValue(value)}.`,
      range: document.rangeOf([...this.#site.path, ...path]),
    });
  }

  readDuration(key: string, written: unknown): number | undefined {
    if (written === undefined) return undefined;
    const path = key.split('.');
    const value = this.#evaluate(written, path);
    const durationMs = parseDuration(value);
    if (durationMs === undefined && value !== undefined)
      this.#reportValue(path, 'a duration such as 30s, 10m or 2h', value);
    return durationMs;
  }

  readRetry(): RetryPolicy {
    const retry = this.#site.spec.retry ?? {};
    const attempts = this.#evaluate(retry['attempts'] ?? 1, ['retry', 'attempts']);
    const isCount = typeof attempts === 'number' && Number.isInteger(attempts) && attempts >= 1;
    if (!isCount && attempts !== undefined)
      this.#reportValue(['retry', 'attempts'], 'a whole number of at least 1', attempts);
    const number = (key: string, fallback: number): number => {
      const value = retry[key];
      return typeof value === 'number' ? value : fallback;
    };
    const codes = retry['on'];
    return {
      attempts: isCount ? attempts : 1,
      delayMs: this.readDuration('retry.delay', retry['delay']) ?? 1000,
      factor: number('factor', 2),
      maxDelayMs: this.readDuration('retry.max_delay', retry['max_delay']) ?? 300_000,
      jitter: number('jitter', 0.1),
      ...(Array.isArray(codes) ? { on: codes as readonly (string | number)[] } : {}), // The schema has checked the items.
    };
  }

  /** What a step takes: tensors use every core, so such a step has them all unless it says otherwise. */
  readResources(plugin: ResolvedPlugin): Readonly<Record<string, number>> {
    const { cores, pools } = this.#site.pipeline.shared;
    const own = plugin.plugin.usesTensors === true ? cores : 1;
    const taken: Record<string, number> = { cpu: Math.min(own, pools.capacities['cpu'] ?? own) };
    for (const [name, written] of Object.entries(this.#site.spec.resources ?? {})) {
      const path = ['resources', name];
      const value = this.#evaluate(written, path);
      const isListed = Object.hasOwn(pools.devices, name);
      const isWhole = Number.isInteger(value) && Number(value) >= 0;
      const amount = isListed ? (isWhole ? Number(value) : undefined) : parseSize(value);
      if (amount !== undefined) taken[name] = this.#checkPool(name, amount);
      else if (value !== undefined)
        this.#reportValue(
          path,
          isListed ? 'a whole number of devices' : 'a number, or a size such as 4GB',
          value,
        );
    }
    return taken;
  }

  #checkPool(name: string, amount: number): number {
    const { name: step, path: own, pipeline } = this.#site;
    const { document, shared } = pipeline;
    const { capacities } = shared.pools;
    const path = [...own, 'resources', name];
    const capacity = Object.hasOwn(capacities, name) ? capacities[name] : undefined;
    if (capacity === undefined) {
      const nearest = findNearest(name, Object.keys(capacities));
      shared.report({
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
    const isMachine = machinePools.includes(name);
    shared.report({
      code: 'POOL_EXCEEDED',
      severity: isMachine ? 'warning' : 'error',
      message: `The step "${step}" takes ${amount} from the pool "${name}", which has ${capacity}${isMachine ? '; it gets all of it' : ''}.`,
      range: document.rangeOf(path),
      help: `Take at most ${capacity}, or raise \`pools.${name}\`.`,
    });
    return capacity;
  }

  /** Variables whose value is a secret are kept apart: the value is looked up when the step starts. */
  readEnvironment(): Pick<GraphStep, 'environment' | 'secretEnvironment'> {
    const values = this.#evaluate(this.#site.spec.environment ?? {}, ['environment']);
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
}
