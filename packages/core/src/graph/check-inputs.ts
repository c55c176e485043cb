import type { Port } from '@joyul/plugin-api';
import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import type { SourceRange } from '../diagnostics/source.ts';
import { findNearest, quoteNames } from '../util/suggest.ts';
import type { PortReference } from './graph.ts';
import type { Part, PipelineIndex } from './pipeline-index.ts';
import type { Found } from './resolve-wire.ts';
import { fitsPort, followWire, lookUpWire, offersFor, outputsOf } from './resolve-wire.ts';
import { localId, localName } from './step-id.ts';
import type { Wire } from './unlinked-step.ts';
import { isPipeline } from './unlinked-step.ts';

type Report = (diagnostic: Diagnostic) => void;

/** What one input port of a step is given. */
export interface LinkedInput {
  readonly references: readonly PortReference[];
  /** By step: where it is wired. */
  readonly places: ReadonlyMap<string, SourceRange>;
}

/** A port, and where a pipeline file declares it. */
interface Slot {
  readonly port: Port;
  readonly range?: SourceRange;
}

/** Checks what one step, or one step that uses a pipeline, is wired to. */
export class InputChecker {
  readonly #part: Part;
  readonly #index: PipelineIndex;
  readonly #report: Report;
  /** As in the step's own file. */
  readonly #name: string;
  readonly #slots: Readonly<Record<string, Slot>>;

  constructor(part: Part, index: PipelineIndex, report: Report) {
    this.#part = part;
    this.#index = index;
    this.#report = report;
    this.#name = localName(part.group);
    this.#slots = isPipeline(part)
      ? part.inputs
      : Object.fromEntries(Object.entries(part.plugin.plugin.inputs).map(([name, port]) => [name, { port }]));
  }

  /** What each port is given; ports that are given nothing are left out. */
  link(): ReadonlyMap<string, LinkedInput> {
    const result = new Map<string, LinkedInput>();
    const { wires } = this.#part;
    for (const [name, list] of Object.entries(wires)) {
      const slot = Object.hasOwn(this.#slots, name) ? this.#slots[name] : undefined;
      if (slot === undefined) this.#reportUnknown(name);
      else {
        const linked = this.#linkPort(name, slot, list);
        if (linked.references.length > 0) result.set(name, linked);
      }
    }
    for (const [name, slot] of Object.entries(this.#slots))
      if (slot.port.optional !== true && !Object.hasOwn(wires, name)) this.#reportMissing(name, slot);
    return result;
  }

  #error(code: Diagnostic['code'], message: string, range: SourceRange, help: string, slot?: Slot): void {
    const notes =
      slot?.range === undefined ? [] : [{ message: 'The input is declared here.', range: slot.range }];
    this.#report({
      code,
      severity: 'error',
      message,
      range,
      ...(notes.length === 0 ? {} : { notes }),
      help,
    });
  }

  #linkPort(name: string, slot: Slot, wires: readonly Wire[]): LinkedInput {
    const { port } = slot;
    if (wires.length > 1 && port.many !== true)
      this.#error(
        'PORT_COUNT',
        `The input "${name}" takes one artifact, but a list of ${wires.length} is wired.`,
        this.#part.portRange(name),
        'Wire one of them.',
        slot,
      );
    const places = new Map<string, SourceRange>();
    const found = wires.map((wire) => [wire, lookUpWire(wire, this.#index, this.#report)] as const);
    const references = found.flatMap(([wire, meant]) => {
      if (meant === undefined || !this.#fits(name, slot, wire, meant)) return [];
      const reached = followWire(wire, { ...this.#part, index: this.#index }, this.#report);
      if (reached.length > 1 && port.many !== true) this.#reportCount(name, wire, meant, reached.length);
      for (const { step } of reached) places.set(step, wire.range);
      return reached;
    });
    const isAbsent = found.every(([, meant]) => meant?.port.optional === true);
    if (isAbsent && port.optional !== true) this.#reportOptional(name, slot, wires);
    return { references, places };
  }

  #fits(name: string, slot: Slot, wire: Wire, found: Found): boolean {
    if (!fitsPort(slot.port, found.port)) {
      this.#reportMisfit(name, slot, wire, found);
      return false;
    }
    if (found.port.many !== true || slot.port.many === true) return true;
    this.#error(
      'PORT_COUNT',
      `The input "${name}" takes one artifact, but ${wire.text} may be several.`,
      wire.range,
      `Wire it to an input that takes several, or remove \`many\` from "${found.output}".`,
      { port: slot.port, ...(found.range === undefined ? {} : { range: found.range }) },
    );
    return false;
  }

  #reportUnknown(name: string): void {
    const known = Object.keys(this.#slots);
    const nearest = findNearest(name, known);
    const owner = isPipeline(this.#part)
      ? `The pipeline ${this.#part.file}`
      : `The plugin "${this.#part.plugin.plugin.name}"`;
    this.#error(
      'INPUT_UNKNOWN_PORT',
      `${owner} has no input "${name}".`,
      this.#part.portRange(name),
      nearest !== undefined
        ? `Did you mean "${nearest}"?`
        : known.length === 0
          ? 'It takes no inputs.'
          : `Its inputs are ${quoteNames(known)}.`,
    );
  }

  #reportMissing(name: string, slot: Slot): void {
    const { type } = slot.port;
    const [offer] = offersFor(slot.port, this.#index, this.#name);
    this.#error(
      'INPUT_MISSING',
      `The step "${this.#name}" needs the input "${name}" of type "${type}", and nothing is wired to it.`,
      this.#part.range,
      offer === undefined
        ? `No step gives "${type}"; add one that does.`
        : `Add \`inputs: { ${name}: ${offer} }\`.`,
      slot,
    );
  }

  #reportOptional(name: string, slot: Slot, wires: readonly Wire[]): void {
    const [first] = wires;
    const texts = wires.map(({ text }) => text).join(' and ');
    this.#error(
      'PORT_COUNT',
      `The step "${this.#name}" needs the input "${name}", but ${texts} may be left out.`,
      first?.range ?? this.#part.range,
      'Remove `optional` where the input is declared, or wire something that is always there.',
      slot,
    );
  }

  #reportMisfit(name: string, slot: Slot, { text, range }: Wire, found: Found): void {
    const own =
      found.kind === 'input'
        ? []
        : Object.entries(outputsOf(found.first, this.#index))
            .filter(([, output]) => fitsPort(slot.port, output))
            .map(([output]) => `${localName(found.first.group)}.${output}`);
    const offers = own.length > 0 ? own : offersFor(slot.port, this.#index, this.#name);
    const takers = Object.entries(this.#slots)
      .filter(([, { port }]) => fitsPort(port, found.port))
      .map(([taker]) => taker);
    const help = [
      offers.length > 0
        ? `Wire ${quoteNames(offers)} to "${name}"`
        : `Wire an output of type "${slot.port.type}" to "${name}"`,
      ...(takers.length > 0 ? [`or ${text} to ${quoteNames(takers)}`] : []),
    ].join(', ');
    const notes = [
      ...(slot.range === undefined ? [] : [{ message: `"${name}" is declared here.`, range: slot.range }]),
      ...(found.range === undefined
        ? []
        : [{ message: `"${found.output}" is declared here.`, range: found.range }]),
    ];
    this.#report({
      code: 'PORT_TYPE',
      severity: 'error',
      message: `The input "${name}" takes "${slot.port.type}", but ${text} gives "${found.port.type}".`,
      range,
      ...(notes.length === 0 ? {} : { notes }),
      help: `${help}.`,
    });
  }

  #reportCount(name: string, { text, range }: Wire, found: Found, count: number): void {
    if (found.kind === 'input') return; // Told where the pipeline is used.
    const { target, output, first } = found;
    const instances = this.#index.find(target, this.#part.axes);
    const axes = Object.keys(instances[0]?.axes ?? {}).filter(
      (axis) => !Object.hasOwn(this.#part.axes, axis),
    );
    const quoted = axes.map((axis) => `"${axis}"`).join(' and ');
    const isMatrix = instances.length > 1;
    const example = localId((instances[0] ?? first).id);
    this.#error(
      'PORT_COUNT',
      isMatrix
        ? `The input "${name}" takes one artifact, but ${text} stands for ${instances.length} instances of "${target}".`
        : `The input "${name}" takes one artifact, but ${text} stands for ${count} of them.`,
      range,
      isMatrix
        ? `Give "${this.#name}" a matrix with the axis ${quoted}, or name one instance: \`${example}.${output}\`.`
        : `Wire it to an input that takes several, or let the pipeline give one.`,
    );
  }
}
