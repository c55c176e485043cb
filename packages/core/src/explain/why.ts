/** Says why a step would run, was run or is reused, down to the fields that the user changed. */
import type { PlannedStep } from '../events/event.ts';
import type { Graph, GraphStep } from '../graph/graph.ts';
import { diffRecords } from '../plan/explain.ts';
import type { FieldChange } from '../plan/explain.ts';
import type { FingerprintRecord } from '../plan/fingerprint.ts';
import type { Inspection, InspectOptions } from '../plan/inspect-step.ts';
import { makeInspectOptions, planPipeline } from '../plan/plan-pipeline.ts';
import type { PlanOptions } from '../plan/plan-pipeline.ts';
import { RunHistory } from '../runs/run-history.ts';
import type { RunRecord } from '../runs/run-record.ts';
import { Store } from '../store/store.ts';
import type { ContinuedFrom } from '../util/continued-from.ts';

/** A step before this one that explains it. */
export interface Cause {
  readonly stepId: string;
  /** The input ports through which it is felt. */
  readonly ports: readonly string[];
  /** `ran` when it already ran with other results; otherwise what it would do. */
  readonly state: 'ran' | PlannedStep['action'];
  readonly reason: string;
  readonly changes: readonly FieldChange[];
  /** Absent where it is explained elsewhere in the same answer. */
  readonly causes?: readonly Cause[];
}

/** The run that made a result. */
export interface Origin {
  readonly runId: string;
  /** When the result was complete, in milliseconds since 1970. */
  readonly timeMs: number;
  readonly durationMs: number;
  /** Why it was made, in words. */
  readonly reason: string;
  /** The shorter run that it went on from. */
  readonly continuedFrom?: ContinuedFrom;
}

/** Why a step would run or be reused. */
export interface Why {
  readonly step: PlannedStep;
  readonly group: string;
  /** Absent where the step's inputs are not known yet. */
  readonly record?: FingerprintRecord;
  readonly fingerprint?: string;
  /**
   * With what it is compared: its last success, or, where that is reused, its result before that one. Absent where
   * there is none.
   */
  readonly since?: 'last success' | 'result before';
  /** What differs since then. */
  readonly changes: readonly FieldChange[];
  readonly causes: readonly Cause[];
  /** Fields that the user changed, here or in a step before, by step. */
  readonly roots: readonly { readonly stepId: string; readonly changes: readonly FieldChange[] }[];
  /** Which run made the result that would be reused; absent where its events are gone. */
  readonly origin?: Origin;
  /** What the step is told that never decides whether it is reused, in words. */
  readonly leftOut: readonly string[];
}

const isInput = (change: FieldChange): boolean => change.field.startsWith('inputs.');

/** The port of a change in an input. */
const portOf = (change: FieldChange): string => change.field.slice('inputs.'.length);

/** What a step's declaration says that is left out of its fingerprint on purpose. */
function describeLeftOut(step: GraphStep): readonly string[] {
  const told: string[] = [];
  const resources = Object.entries(step.resources).map(([pool, amount]) => `${pool} ${amount}`);
  if (resources.length > 0) told.push(`resources (${resources.join(', ')})`);
  if (step.retry.attempts > 1) told.push(`retry (${step.retry.attempts} attempts)`);
  if (step.timeoutMs !== undefined) told.push(`timeout (${step.timeoutMs / 1000} s)`);
  if (step.cache !== 'rw') told.push(`cache (${step.cache})`);
  const secrets = [...new Set(Object.values(step.secretEnvironment ?? {}))];
  if (secrets.length > 0) told.push(`the value of ${secrets.join(', ')}`);
  return told;
}

/** Answers questions about one state of a project; used once. */
class Explainer {
  readonly #graph: Graph;
  readonly #store: Store;
  readonly #options: InspectOptions;
  readonly #history: RunHistory;
  readonly #planned: ReadonlyMap<string, PlannedStep>;
  readonly #inspections = new Map<string, Inspection>();
  readonly #told = new Set<string>();

  constructor(graph: Graph, options: PlanOptions) {
    this.#graph = graph;
    this.#store = new Store(graph.projectDir);
    this.#options = makeInspectOptions(graph, this.#store, options);
    this.#history = new RunHistory(graph.projectDir);
    // What is selected decides what runs, not what is true: everything before a step explains it.
    const { selected: _selected, ...rest } = options;
    const plan = planPipeline(graph, rest, (step, inspection) => {
      this.#inspections.set(step.id, inspection);
    });
    this.#planned = new Map(plan.steps.map((step) => [step.stepId, step]));
  }

  #recordOf(fingerprint: string | undefined): FingerprintRecord | undefined {
    const action = fingerprint === undefined ? undefined : this.#store.readAction(fingerprint);
    return action?.record as FingerprintRecord | undefined; // Records are written by the executor.
  }

  explain(step: GraphStep): Why {
    this.#told.clear();
    const planned = this.#planned.get(step.id);
    if (planned === undefined) throw new Error(`Internal error: ${step.id} was not planned.`);
    const inspection = this.#inspections.get(step.id);
    const last = this.#options.last.get(step.id);
    const isReused = inspection?.action === 'reuse';
    const origin = isReused ? this.#originOf(step.id, inspection.fingerprint) : undefined;
    // What is reused does not differ from its last success: what made it run then is told instead.
    const before =
      isReused && inspection.fingerprint === last
        ? this.#history.findEarlier(step.id, inspection.fingerprint, origin?.runId)
        : last;
    const changes = this.#changesOf(step.id, before);
    const causes = this.#causesOf(step, before, changes);
    return {
      step: planned,
      group: step.group,
      ...(inspection === undefined ? {} : { record: inspection.record, fingerprint: inspection.fingerprint }),
      ...(before === undefined
        ? {}
        : { since: before === last ? ('last success' as const) : ('result before' as const) }),
      changes,
      causes,
      roots: collectRoots({ stepId: step.id, changes, causes }),
      ...(origin === undefined ? {} : { origin }),
      leftOut: describeLeftOut(step),
    };
  }

  /** How a step's record differs from the one under an earlier fingerprint. */
  #changesOf(stepId: string, before: string | undefined): readonly FieldChange[] {
    const [old, record] = [this.#recordOf(before), this.#inspections.get(stepId)?.record];
    return old === undefined || record === undefined ? [] : diffRecords(old, record);
  }

  #originOf(stepId: string, fingerprint: string): Origin | undefined {
    const run = this.#history.findRun(stepId, fingerprint, ['succeeded']);
    const step = run?.steps.find((item) => item.stepId === stepId);
    if (run === undefined || step === undefined) return undefined;
    return {
      runId: run.runId,
      timeMs: step.endedMs ?? run.startedMs,
      durationMs: step.durationMs,
      reason: step.reason,
      ...(step.continuedFrom === undefined ? {} : { continuedFrom: step.continuedFrom }),
    };
  }

  /** The steps because of which a step's inputs differ, or are not known yet. */
  #causesOf(step: GraphStep, before: string | undefined, changes: readonly FieldChange[]): readonly Cause[] {
    const run =
      before === undefined ? undefined : this.#history.findRun(step.id, before, ['succeeded', 'reused']);
    if (!this.#inspections.has(step.id)) {
      const open = step.needs.filter((need) => this.#planned.get(need)?.action !== 'reuse');
      return open.map((need) => this.#explainCause(need, portsFrom(step, need), undefined));
    }
    const changed = new Set(changes.filter(isInput).map(portOf));
    return step.needs.flatMap((need) => {
      const ports = portsFrom(step, need).filter((port) => changed.has(port));
      const fingerprint = run?.steps.find((item) => item.stepId === need)?.fingerprint;
      // One of several steps that feed a port may give what it gave before.
      const isSame = fingerprint !== undefined && this.#inspections.get(need)?.fingerprint === fingerprint;
      return ports.length === 0 || isSame ? [] : [this.#explainCause(need, ports, run)];
    });
  }

  /** Explains a step before; `run` is the one with which the present is compared, absent for the last success. */
  #explainCause(stepId: string, ports: readonly string[], run: RunRecord | undefined): Cause {
    const planned = this.#planned.get(stepId);
    const step = this.#graph.byId.get(stepId);
    if (planned === undefined || step === undefined)
      throw new Error(`Internal error: ${stepId} was not planned.`);
    const before =
      run === undefined
        ? this.#options.last.get(stepId)
        : run.steps.find((item) => item.stepId === stepId)?.fingerprint;
    const changes = this.#changesOf(stepId, before);
    const inspection = this.#inspections.get(stepId);
    const state = planned.action === 'reuse' ? 'ran' : planned.action;
    const reason =
      planned.action === 'reuse' && inspection !== undefined
        ? (this.#originOf(stepId, inspection.fingerprint)?.reason ?? planned.reason)
        : planned.reason;
    const cause = { stepId, ports, state, reason, changes } as const;
    if (this.#told.has(stepId)) return cause;
    this.#told.add(stepId);
    return { ...cause, causes: this.#causesOf(step, before, changes) };
  }
}

const portsFrom = (step: GraphStep, need: string): readonly string[] =>
  Object.entries(step.inputs)
    .filter(([, references]) => references.some((reference) => reference.step === need))
    .map(([port]) => port);

/** The changes that do not follow from an earlier step, the earliest step first. */
function collectRoots(start: Pick<Cause, 'stepId' | 'changes' | 'causes'>): Why['roots'] {
  const roots = new Map<string, readonly FieldChange[]>();
  const visit = ({ stepId, changes, causes }: Pick<Cause, 'stepId' | 'changes' | 'causes'>): void => {
    for (const cause of causes ?? []) visit(cause);
    const own = changes.filter((change) => !isInput(change));
    if (own.length > 0 && !roots.has(stepId)) roots.set(stepId, own);
  };
  visit(start);
  return [...roots].map(([stepId, changes]) => ({ stepId, changes }));
}

/** Explains steps, each against the last run in which it succeeded. */
export function explainSteps(
  graph: Graph,
  stepIds: readonly string[],
  options: PlanOptions = {},
): readonly Why[] {
  const explainer = new Explainer(graph, options);
  return stepIds.map((stepId) => {
    const step = graph.byId.get(stepId);
    if (step === undefined) throw new Error(`Internal error: there is no step ${stepId}.`);
    return explainer.explain(step);
  });
}
