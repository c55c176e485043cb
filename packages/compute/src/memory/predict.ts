import type { Backend } from '@joyul/plugin-api';
import { lowerPrecision } from '../graph/low-precision.ts';
import type { Variable } from '../ir.ts';
import { collectNodes, sizeOf } from '../ir.ts';
import { isNativeLoaded } from '../native/binding.ts';
import type { Entry, Program } from '../program.ts';
import { tensorsOf } from '../program.ts';
import { findPeak } from './liveness.ts';
import type { Bytes } from './liveness.ts';
import { bytesOf, listSteps } from './steps.ts';
import type { Use } from './steps.ts';

/** What memory is for; `library` is TensorFlow with its copy of the graph, `gaps` what its allocator cannot use. */
export type MemoryPart = 'process' | 'library' | Use | 'gaps' | 'copies';

/** How much memory a program will take. */
export interface MemoryPrediction {
  readonly parts: Readonly<Record<MemoryPart, number>>;
  readonly totalBytes: number;
}

/** What the prediction has to know beside the program. */
export interface PredictionOptions {
  readonly backend: Backend;
  readonly matmul: 'float32' | 'bfloat16';
  /** What the process takes already; the default is what it takes now. */
  readonly processBytes?: number;
  /** Weights and other numbers that the caller will hold in JavaScript; the default is 0. */
  readonly copiedBytes?: number;
}

/** What loading and starting TensorFlow 2.15.1 and XLA adds to a process. */
const libraryBytes = 200e6;
/** A node in the graph as it was read, as it was optimized, and in the executor. */
const nodeBytes = 15e3;
/** What training took beyond that in every measurement: compiled functions, and larger gaps. */
const trainingBytes = 70e6;
/** Nodes that belong to each variable. */
const nodesOfVariable = 6;
/** Share of the tensors' memory that lies between them. */
const gapShare = 0.11;
/** Values are written in calls of this size. */
const writtenBytes = 64e6;

const nodesOf = (entry: Entry): number =>
  collectNodes([...entry.outputs.map(({ tensor }) => tensor), ...entry.updates.flatMap(tensorsOf)]).length;

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/** While variables are written, the values of one call are there twice. */
function whileWriting(program: Program): Bytes {
  const largest = Math.max(0, ...program.variables.map(({ shape }) => 4 * sizeOf(shape)));
  return { weights: 0, optimizer: 0, gradients: 0, activations: 0, temporaries: writtenBytes + largest };
}

/**
 * The memory that a process will take at most for a program, before it is loaded.
 *
 * Tensors are followed through each entry in the order in which TensorFlow starts operations; the rest was
 * measured on TensorFlow 2.15.1. On the other backends it is a rougher guess.
 */
export function predictMemory(program: Program, options: PredictionOptions): MemoryPrediction {
  const { backend, matmul, processBytes = process.memoryUsage.rss(), copiedBytes = 0 } = options;
  const { program: written, shadows } =
    matmul === 'bfloat16' ? lowerPrecision(program) : { program, shadows: new Map<string, Variable>() };
  const copies = new Set([...shadows.values()].map((copy) => copy.name));
  const held = (isWeight: boolean): number =>
    sum(
      written.variables
        .filter((variable) => (variable.isTrainable || copies.has(variable.name)) === isWeight)
        .map(({ shape, dtype }) => bytesOf[dtype] * sizeOf(shape)),
    );
  const peaks = [whileWriting(program), ...written.entries.map((entry) => findPeak(listSteps(entry)))].sort(
    (left, right) => sum(Object.values(right)) - sum(Object.values(left)),
  );
  const peak = { ...peaks[0], weights: held(true), optimizer: held(false) } as Bytes; // There always is one.
  const isNative = backend === 'tensorflow';
  const trains = program.entries.some((entry) => entry.updates.length > 0);
  const nodes = sum(written.entries.map(nodesOf)) + nodesOfVariable * written.variables.length;
  const parts: MemoryPrediction['parts'] = {
    process: processBytes,
    library: isNative ? (isNativeLoaded() ? 0 : libraryBytes) + nodeBytes * nodes : 0,
    ...peak,
    gaps: gapShare * sum(Object.values(peak)) + (trains ? trainingBytes : 0),
    copies: copiedBytes,
  };
  return { parts, totalBytes: sum(Object.values(parts)) };
}
