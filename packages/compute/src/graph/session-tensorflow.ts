import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as yieldToEvents } from 'node:timers/promises';
import { writeSavedModel } from './graph-def.ts';
import type { SavedProgram, WriteOptions } from './graph-def.ts';
import type { Tensor, TensorData } from '../ir.ts';
import { sizeOf } from '../ir.ts';
import type { Binding, NativeTensor } from '../native/binding.ts';
import { dtypeNumbers } from './node-def.ts';
import type { Program } from '../program.ts';
import { configVariable, makeSessionConfig } from './session-config.ts';
import { eachValue } from '../session.ts';
import type { Feeds, Session } from '../session.ts';

/** What goes to variables in one call: each call looks through the whole graph, and one for all holds all values twice. */
const writtenBytesAtOnce = 256e6;

/** A tensor that is fed to a node. */
interface Feed {
  readonly id: number;
  readonly name: string;
}

/** Hands a program to TensorFlow's session, which optimizes its graph once and keeps its variables. */
export function createTensorflowSession(binding: Binding, program: Program, options: WriteOptions): Session {
  const saved = writeSavedModel(program, options);
  const model = loadModel(binding, saved);
  let isDisposed = false;

  const make = (tensor: Tensor, value: TensorData | number, name: string): number => {
    const data =
      typeof value === 'number'
        ? tensor.dtype === 'int32'
          ? Int32Array.of(value)
          : Float32Array.of(value)
        : value;
    if (data.length !== sizeOf(tensor.shape)) {
      throw new Error(
        `Internal error: ${name} has ${data.length} values, but its shape is [${tensor.shape.join(', ')}].`,
      );
    }
    const isBool = tensor.dtype === 'bool';
    return binding.createTensor(
      [...tensor.shape],
      dtypeNumbers[tensor.dtype],
      isBool ? Uint8Array.from(data, (item) => (item === 0 ? 0 : 1)) : data,
    );
  };

  const call = (
    inputs: readonly number[],
    inputNames: readonly string[],
    outputNames: readonly string[],
  ): readonly NativeTensor[] => {
    if (isDisposed) throw new Error('Internal error: the session was disposed.');
    try {
      return binding.runSavedModel(model, inputs, portNames(inputNames), portNames(outputNames));
    } finally {
      for (const id of inputs) binding.deleteTensor(id);
    }
  };

  const take = (tensor: NativeTensor): TensorData => {
    const data = binding.tensorDataSync(tensor.id);
    binding.deleteTensor(tensor.id);
    return data instanceof Uint8Array ? Int32Array.from(data) : data;
  };

  return {
    backend: 'tensorflow',
    matmul: options.matmul,
    async write(values) {
      let fed: Feed[] = [];
      let fetched: string[] = [];
      let bytes = 0;
      const flush = async (): Promise<void> => {
        if (fetched.length === 0) return;
        const done = call(
          fed.map(({ id }) => id),
          fed.map(({ name }) => name),
          fetched,
        );
        for (const tensor of done) binding.deleteTensor(tensor.id);
        [fed, fetched, bytes] = [[], [], 0];
        await yieldToEvents();
      };
      const cleared: string[] = [];
      for await (const [name, value] of eachValue(values)) {
        const variable = program.findVariable(name);
        if (variable === undefined) continue;
        const names = lookUp(saved.variables, name);
        if (value === 0) {
          cleared.push(names.cleared);
          continue;
        }
        if (bytes + value.byteLength > writtenBytesAtOnce) await flush();
        fed.push({ id: make(variable, value, name), name: names.value });
        fetched.push(names.assigned);
        bytes += value.byteLength;
      }
      await flush();
      if (cleared.length === 0) return;
      fed = [{ id: binding.createTensor([], dtypeNumbers.float32, Float32Array.of(0)), name: saved.zero }];
      fetched = cleared;
      await flush();
    },
    async run(name, feeds: Feeds) {
      const entry = program.entries.find((item) => item.name === name);
      if (entry === undefined) throw new Error(`Internal error: the program has no entry ${name}.`);
      const names = lookUp(saved.entries, name);
      const ids = entry.inputs.map((input) => {
        const value = feeds[input.name];
        if (value === undefined) throw new Error(`Internal error: ${name} was not given ${input.name}.`);
        return make(input.tensor, value, input.name);
      });
      const results = call(ids, names.inputs, names.outputs);
      // The call blocks; timers, signals and messages get their turn between two of them.
      await yieldToEvents();
      return Object.fromEntries(
        results.map((tensor, index) => [entry.outputs[index]?.name ?? '', take(tensor)]),
      );
    },
    async read(names) {
      if (names.length === 0) return {};
      const results = call(
        [],
        [],
        names.map((name) => {
          const { read } = lookUp(saved.variables, name);
          if (read === undefined) throw new Error(`Internal error: ${name} is kept in bfloat16 only.`);
          return read;
        }),
      );
      await yieldToEvents();
      return Object.fromEntries(
        results.map((tensor, index) => [names[index] ?? '', Float32Array.from(take(tensor))]),
      );
    },
    dispose() {
      if (isDisposed) return;
      isDisposed = true;
      binding.deleteSavedModel(model);
    },
  };
}

const portNames = (names: readonly string[]): string => names.map((name) => `${name}:0`).join(',');

function lookUp<T>(map: ReadonlyMap<string, T>, name: string): T {
  const found = map.get(name);
  if (found === undefined) throw new Error(`Internal error: the program has no ${name}.`);
  return found;
}

/** The addon reads SavedModels from disk only; the file is gone again before this returns. */
function loadModel(binding: Binding, saved: SavedProgram): number {
  const folder = mkdtempSync(join(tmpdir(), 'joyul-graph-'));
  try {
    writeFileSync(join(folder, 'saved_model.pb'), saved.content);
    process.env[configVariable] = makeSessionConfig();
    return binding.loadSavedModel(folder, 'serve,');
  } catch (error) {
    // TensorFlow's message names the node, whose name starts with its operation.
    throw new Error('Internal error: TensorFlow refuses the graph.', { cause: error });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
