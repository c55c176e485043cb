import type { Port, Ports } from '@joyul/plugin-api';
import type { Diagnostic, DiagnosticCode } from '../diagnostics/diagnostic.ts';
import type { SourceRange } from '../diagnostics/source.ts';
import { formatCanonicalJson } from '../util/canonical-json.ts';
import { findNearest, quoteNames } from '../util/suggest.ts';
import type { PortReference } from './graph.ts';
import type { UnlinkedStep, Wire } from './unlinked-step.ts';

type Values = Readonly<Record<string, unknown>>;

/** True when an output can be wired to an input. */
export const fitsPort = (input: Port, output: Port): boolean =>
  input.type === 'files' || input.type === output.type;

/** The steps of a pipeline, by id, by group, and by the values of their axes. */
export class StepIndex {
  readonly groups = new Map<string, UnlinkedStep[]>();
  readonly byId = new Map<string, UnlinkedStep>();
  /** Names that are declared; a step with an unknown plugin is declared and yet in no group. */
  readonly declared: ReadonlySet<string>;
  readonly #joins = new Map<string, Map<string, UnlinkedStep[]>>();

  constructor(steps: readonly UnlinkedStep[], declared: Iterable<string>) {
    this.declared = new Set(declared);
    for (const step of steps) {
      this.byId.set(step.id, step);
      const group = this.groups.get(step.group);
      if (group === undefined) this.groups.set(step.group, [step]);
      else group.push(step);
    }
  }

  /** A step of this pipeline. */
  get(id: string): UnlinkedStep {
    const step = this.byId.get(id);
    if (step === undefined) throw new Error(`Internal error: there is no step ${id}.`);
    return step;
  }

  /** The instances that a reference means to a step: one by its id, or those that agree on the axes of both. */
  find(target: string, axes: Values): readonly UnlinkedStep[] {
    const one = this.byId.get(target);
    const group = this.groups.get(target);
    if (group === undefined) return one === undefined ? [] : [one];
    const shared = [...new Set(group.flatMap((step) => Object.keys(step.axes)))].filter(
      (axis) => axis in axes,
    );
    return shared.length === 0 ? group : this.#join(target, group, shared, axes);
  }

  #join(
    target: string,
    group: readonly UnlinkedStep[],
    shared: readonly string[],
    axes: Values,
  ): readonly UnlinkedStep[] {
    const name = JSON.stringify([target, ...shared]);
    let index = this.#joins.get(name);
    if (index === undefined) {
      index = Map.groupBy(group, (step) => keyOf(step.axes, shared));
      this.#joins.set(name, index);
    }
    const exact = index.get(keyOf(axes, shared)) ?? [];
    // An instance that `include` made may lack an axis, and then agrees with every value of it.
    const loose = group.some((step) => shared.some((axis) => !(axis in step.axes)))
      ? group.filter(
          (step) =>
            shared.some((axis) => !(axis in step.axes)) &&
            shared.every((axis) => !(axis in step.axes) || keyOf(axes, [axis]) === keyOf(step.axes, [axis])),
        )
      : [];
    return [...exact, ...loose];
  }
}

const keyOf = (axes: Values, names: readonly string[]): string =>
  formatCanonicalJson(names.map((axis) => (axis in axes ? axes[axis] : { absent: axis })));

/** What resolving a wire needs. */
export interface WireParts {
  readonly step: UnlinkedStep;
  readonly portName: string;
  readonly port: Port;
  readonly index: StepIndex;
  readonly report: (diagnostic: Diagnostic) => void;
}

/** The output ports that one written reference means; none, and told, where something is wrong. */
export function resolveWire(wire: Wire, parts: WireParts): readonly PortReference[] {
  const { step, index } = parts;
  const { text, range } = wire;
  const fail = (code: DiagnosticCode, message: string, help: string): readonly PortReference[] => {
    parts.report({ code, severity: 'error', message, range, help });
    return [];
  };
  // Ids of instances have dots, such as lr=0.1; names of ports have none.
  const at = text.lastIndexOf('.');
  const [target, output] = [text.slice(0, at), text.slice(at + 1)];
  if (at <= 0 || output === '') {
    const outputs = Object.keys(index.groups.get(text)?.[0]?.outputs ?? {});
    const help =
      outputs.length === 0 ? 'Write `step.port`, such as `prepare.dataset`.' : describeOutputs(text, outputs);
    return fail('INPUT_FORMAT', `"${text}" does not name a step and a port.`, help);
  }
  const [first] = index.groups.get(target) ?? [index.byId.get(target)];
  if (first === undefined) {
    if (index.declared.has(target)) return [];
    return fail('REFERENCE_STEP', `There is no step "${target}".`, suggestStep(target, output, index));
  }
  const found = first.outputs[output];
  if (found === undefined) {
    // A plugin may name its outputs after its params, and those are wrong.
    if (first.isBroken === true && first.plugin.plugin.outputsFor !== undefined) return [];
    return fail(
      'REFERENCE_PORT',
      `The step "${target}" has no output "${output}".`,
      suggestOutput(target, output, first.outputs),
    );
  }
  if (!fitsPort(parts.port, found)) return fail('PORT_TYPE', ...explainMisfit(wire, found, first, parts));
  const instances = index.find(target, step.axes);
  if (instances.length === 0)
    return fail(
      'PORT_COUNT',
      `No instance of "${target}" has the values of "${step.id}".`,
      'Give both steps the same values of the axes that they share.',
    );
  if (instances.length > 1 && parts.port.many !== true)
    return fail('PORT_COUNT', ...explainCount(wire, target, output, instances, parts));
  return instances.map((instance) => ({ step: instance.id, port: output }));
}

const describeOutputs = (target: string, outputs: readonly string[]): string =>
  `Write ${outputs
    .slice(0, 5)
    .map((port) => `\`${target}.${port}\``)
    .join(' or ')}.`;

function suggestStep(target: string, output: string, index: StepIndex): string {
  const nearest = findNearest(target, target.includes('@') ? index.byId.keys() : index.declared);
  return nearest === undefined
    ? `The steps are ${quoteNames(index.declared)}.`
    : `Did you mean "${nearest}.${output}"?`;
}

function suggestOutput(target: string, output: string, outputs: Ports): string {
  const names = Object.keys(outputs);
  const nearest = findNearest(output, names);
  if (nearest !== undefined) return `Did you mean "${target}.${nearest}"?`;
  return names.length === 0 ? 'It has no outputs.' : `Its outputs are ${quoteNames(names)}.`;
}

function explainMisfit(
  { text }: Wire,
  found: Port,
  first: UnlinkedStep,
  { portName, port, step, index }: WireParts,
): readonly [string, string] {
  const fitting = (candidate: UnlinkedStep): readonly string[] =>
    Object.entries(candidate.outputs)
      .filter(([, output]) => fitsPort(port, output))
      .map(([name]) => `${candidate.group}.${name}`);
  const own = fitting(first);
  const others = [...index.groups.values()].flatMap(([candidate]) =>
    candidate === undefined || candidate.group === step.group ? [] : fitting(candidate),
  );
  const takers = Object.entries(step.plugin.plugin.inputs)
    .filter(([, input]) => fitsPort(input, found))
    .map(([name]) => name);
  const offers = own.length > 0 ? own : others;
  const help = [
    offers.length > 0
      ? `Wire ${quoteNames(offers)} to "${portName}"`
      : `Wire an output of type "${port.type}" to "${portName}"`,
    ...(takers.length > 0 ? [`or ${text} to ${quoteNames(takers)}`] : []),
  ].join(', ');
  return [`The input "${portName}" takes "${port.type}", but ${text} gives "${found.type}".`, `${help}.`];
}

function explainCount(
  { text }: Wire,
  target: string,
  output: string,
  instances: readonly UnlinkedStep[],
  { portName, step }: WireParts,
): readonly [string, string] {
  const axes = Object.keys(instances[0]?.axes ?? {}).filter((axis) => !(axis in step.axes));
  const names = axes.map((axis) => `"${axis}"`).join(' and ');
  return [
    `The input "${portName}" takes one artifact, but ${text} stands for ${instances.length} instances of "${target}".`,
    `Give "${step.group}" a matrix with the axis ${names}, or name one instance: \`${instances[0]?.id ?? target}.${output}\`.`,
  ];
}

/** Where a step is wired to another; the step itself where that is not written. */
export function findWireRange(from: UnlinkedStep, to: UnlinkedStep): SourceRange {
  const wire = Object.values(from.wires)
    .flat()
    .find(({ text }) => {
      const target = text.slice(0, text.lastIndexOf('.'));
      return target === to.group || target === to.id;
    });
  return wire?.range ?? from.range;
}
