import { formatCanonicalJson } from '../util/canonical-json.ts';
import { localId, localName, plainId } from './step-id.ts';
import type { UnlinkedPipeline, UnlinkedStep } from './unlinked-step.ts';

type Values = Readonly<Record<string, unknown>>;

/** A step, or a step that uses a pipeline. */
export type Part = UnlinkedStep | UnlinkedPipeline;

/** The steps of one pipeline instance: by name, by id, and by the values of their axes; names are those of its file. */
export class PipelineIndex {
  readonly pipeline: UnlinkedPipeline;
  /** That of the pipeline that uses this one; undefined for the one that is run. */
  readonly parent: PipelineIndex | undefined;
  readonly groups: ReadonlyMap<string, readonly Part[]>;
  /** Names that are declared; a step with an unknown plugin is declared and yet in no group. */
  readonly declared: ReadonlySet<string>;
  readonly #byId: ReadonlyMap<string, Part>;
  readonly #joins = new Map<string, Map<string, Part[]>>();
  readonly #children = new Map<UnlinkedPipeline, PipelineIndex>();

  constructor(pipeline: UnlinkedPipeline, parent?: PipelineIndex) {
    this.pipeline = pipeline;
    this.parent = parent;
    this.groups = Map.groupBy(pipeline.parts, (part) => localName(part.group));
    this.declared = new Set([...this.groups.keys(), ...pipeline.declared]);
    this.#byId = new Map(pipeline.parts.map((part) => [plainId(localId(part.id)), part]));
  }

  get ids(): Iterable<string> {
    return this.#byId.keys();
  }

  /** The index of a pipeline that one of the steps uses. */
  child(part: UnlinkedPipeline): PipelineIndex {
    const child = this.#children.get(part) ?? new PipelineIndex(part, this);
    this.#children.set(part, child);
    return child;
  }

  /** One instance that stands for all that a reference means. */
  first(target: string): Part | undefined {
    return this.groups.get(target)?.[0] ?? this.#byId.get(plainId(target));
  }

  /** The instances that a reference means to a step: one by its id, or those that agree on the axes of both. */
  find(target: string, axes: Values): readonly Part[] {
    const group = this.groups.get(target);
    if (group === undefined) {
      const one = this.#byId.get(plainId(target));
      return one === undefined ? [] : [one];
    }
    const shared = [...new Set(group.flatMap((part) => Object.keys(part.axes)))].filter((axis) =>
      Object.hasOwn(axes, axis),
    );
    return shared.length === 0 ? group : this.#join(target, group, shared, axes);
  }

  #join(target: string, group: readonly Part[], shared: readonly string[], axes: Values): readonly Part[] {
    const name = JSON.stringify([target, ...shared]);
    let index = this.#joins.get(name);
    if (index === undefined) {
      index = Map.groupBy(group, (part) => keyOf(part.axes, shared));
      this.#joins.set(name, index);
    }
    const exact = index.get(keyOf(axes, shared)) ?? [];
    // An instance that `include` made may lack an axis, and then agrees with every value of it.
    const loose = group.some((part) => shared.some((axis) => !Object.hasOwn(part.axes, axis)))
      ? group.filter(
          (part) =>
            shared.some((axis) => !Object.hasOwn(part.axes, axis)) &&
            shared.every(
              (axis) => !Object.hasOwn(part.axes, axis) || keyOf(axes, [axis]) === keyOf(part.axes, [axis]),
            ),
        )
      : [];
    return [...exact, ...loose];
  }
}

const keyOf = (axes: Values, names: readonly string[]): string =>
  formatCanonicalJson(names.map((axis) => (Object.hasOwn(axes, axis) ? axes[axis] : { absent: axis })));
