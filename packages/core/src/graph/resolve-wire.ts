import type { Port } from '@joyul/plugin-api';
import type { Diagnostic, DiagnosticCode } from '../diagnostics/diagnostic.ts';
import type { SourceRange } from '../diagnostics/source.ts';
import { findNearest, quoteNames } from '../util/suggest.ts';
import type { PortReference } from './graph.ts';
import type { Part, PipelineIndex } from './pipeline-index.ts';
import { localId } from './step-id.ts';
import type { Wire } from './unlinked-step.ts';
import { isPipeline } from './unlinked-step.ts';

type Report = (diagnostic: Diagnostic) => void;

/** True when an output can be wired to an input. */
export const fitsPort = (input: Port, output: Port): boolean =>
  input.type === 'files' || input.type === output.type;

/** What a reference leads to, whatever the instance that asks. */
export type Found = {
  readonly port: Port;
  /** Where a pipeline file declares it; absent for a plugin's own port. */
  readonly range?: SourceRange;
  readonly output: string;
} & ({ readonly kind: 'input' } | { readonly kind: 'output'; readonly target: string; readonly first: Part });

const silent: Report = () => undefined;

/** Ids of instances have dots, such as lr=0.1; names of ports have none. */
function splitReference(text: string): readonly [target: string, output: string] {
  const at = text.lastIndexOf('.');
  return [text.slice(0, Math.max(0, at)).normalize('NFC'), text.slice(at + 1).normalize('NFC')];
}

/** Finds what one written reference names; undefined, and told, where something is wrong. */
export function lookUpWire(wire: Wire, index: PipelineIndex, report: Report): Found | undefined {
  const fail = (code: DiagnosticCode, message: string, help: string): undefined => {
    report({ code, severity: 'error', message, range: wire.range, help });
  };
  const [target, output] = splitReference(wire.text);
  if (target === '' || output === '') {
    const first = index.first(wire.text);
    const outputs = first === undefined ? [] : Object.keys(outputsOf(first, index));
    const help =
      outputs.length === 0
        ? 'Write `step.port`, such as `prepare.dataset`.'
        : describeOutputs(wire.text, outputs);
    return fail('INPUT_FORMAT', `"${wire.text}" does not name a step and a port.`, help);
  }
  if (target === 'inputs') {
    const { inputs } = index.pipeline;
    const declared = Object.hasOwn(inputs, output) ? inputs[output] : undefined;
    if (declared !== undefined) return { kind: 'input', output, ...declared };
    return fail('REFERENCE_INPUT', `The pipeline has no input "${output}".`, suggestInput(output, index));
  }
  const first = index.first(target);
  if (first === undefined) {
    if (index.declared.has(target)) return undefined;
    return fail('REFERENCE_STEP', `There is no step "${target}".`, suggestStep(target, output, index));
  }
  if (isPipeline(first)) {
    const declared = Object.hasOwn(first.outputs, output) ? first.outputs[output] : undefined;
    if (declared !== undefined) {
      const inner = lookUpWire(declared.from, index.child(first), silent);
      if (inner === undefined) return undefined;
      const port = declared.type === undefined ? inner.port : { ...inner.port, type: declared.type };
      return { kind: 'output', target, output, first, port, range: declared.range };
    }
  } else {
    const port = Object.hasOwn(first.outputs, output) ? first.outputs[output] : undefined;
    if (port !== undefined) return { kind: 'output', target, output, first, port };
    // A plugin may name its outputs after its params, and those are wrong.
    if (first.isBroken === true && first.plugin.plugin.outputsFor !== undefined) return undefined;
  }
  return fail(
    'REFERENCE_PORT',
    `The step "${target}" has no output "${output}".`,
    suggestOutput(target, output, Object.keys(outputsOf(first, index))),
  );
}

/** Who asks for what a reference means: a step, a step that uses a pipeline, or a pipeline's output. */
export interface Asker {
  readonly index: PipelineIndex;
  readonly id: string;
  readonly axes: Readonly<Record<string, unknown>>;
}

/** The ports of steps that a reference means to one instance. */
export function followWire(
  wire: Wire,
  asker: Asker,
  report: Report,
  trail: ReadonlySet<string> = new Set(),
): readonly PortReference[] {
  const { index } = asker;
  const found = lookUpWire(wire, index, silent);
  if (found === undefined) return [];
  const mark = `${index.pipeline.id} ${wire.text}`;
  if (trail.has(mark)) {
    report({
      code: 'CYCLE',
      severity: 'error',
      message: `${wire.text} leads back to itself: a pipeline gives on what it is given.`,
      range: wire.range,
      help: 'Wire the output of another step.',
    });
    return [];
  }
  const further = new Set(trail).add(mark);
  if (found.kind === 'input') {
    const { parent, pipeline } = index;
    if (parent === undefined) return [];
    const outer = { index: parent, id: pipeline.id, axes: pipeline.axes };
    return (pipeline.wires[found.output] ?? []).flatMap((next) => followWire(next, outer, report, further));
  }
  const instances = index.find(found.target, asker.axes);
  if (instances.length === 0)
    report({
      code: 'PORT_COUNT',
      severity: 'error',
      message: `No instance of "${found.target}" has the values of "${localId(asker.id)}".`,
      range: wire.range,
      help: 'Give both steps the same values of the axes that they share.',
    });
  return instances.flatMap((instance) => {
    if (!isPipeline(instance)) return [{ step: instance.id, port: found.output }];
    const { from } = instance.outputs[found.output] ?? {};
    const inner = { index: index.child(instance), id: instance.id, axes: {} };
    return from === undefined ? [] : followWire(from, inner, report, further);
  });
}

/** The outputs of a step, or of the pipeline that it uses, with what is known of their types. */
export function outputsOf(part: Part, index: PipelineIndex): Readonly<Record<string, Port>> {
  if (!isPipeline(part)) return part.outputs;
  return Object.fromEntries(
    Object.entries(part.outputs).flatMap(([name, { from, type }]) => {
      const port = lookUpWire(from, index.child(part), silent)?.port;
      return port === undefined ? [] : [[name, type === undefined ? port : { ...port, type }] as const];
    }),
  );
}

const describeOutputs = (target: string, outputs: readonly string[]): string =>
  `Write ${outputs
    .slice(0, 5)
    .map((port) => `\`${target}.${port}\``)
    .join(' or ')}.`;

function suggestStep(target: string, output: string, index: PipelineIndex): string {
  const nearest = findNearest(target, target.includes('@') ? index.ids : index.declared);
  return nearest === undefined
    ? `The steps are ${quoteNames(index.declared)}.`
    : `Did you mean "${nearest}.${output}"?`;
}

function suggestOutput(target: string, output: string, names: readonly string[]): string {
  const nearest = findNearest(output, names);
  if (nearest !== undefined) return `Did you mean "${target}.${nearest}"?`;
  return names.length === 0 ? 'It has no outputs.' : `Its outputs are ${quoteNames(names)}.`;
}

function suggestInput(name: string, { pipeline }: PipelineIndex): string {
  const names = Object.keys(pipeline.inputs);
  const nearest = findNearest(name, names);
  if (nearest !== undefined) return `Did you mean "inputs.${nearest}"?`;
  return names.length === 0
    ? `Declare it: \`inputs: { ${name}: { type: ... } }\` beside \`steps\`.`
    : `Its inputs are ${quoteNames(names)}.`;
}

/** Where other steps of the same file, or the file's own inputs, give what a port takes. */
export function offersFor(port: Port, index: PipelineIndex, except: string): readonly string[] {
  const given = Object.entries(index.pipeline.inputs)
    .filter(([, input]) => fitsPort(port, input.port))
    .map(([name]) => `inputs.${name}`);
  const steps = [...index.groups].flatMap(([name, [first]]) =>
    name === except || first === undefined
      ? []
      : Object.entries(outputsOf(first, index))
          .filter(([, output]) => fitsPort(port, output))
          .map(([output]) => `${name}.${output}`),
  );
  return [...given, ...steps];
}
