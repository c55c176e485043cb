import { createRequire } from 'node:module';
import type { Backend } from '@joyul/plugin-api';
import type * as Tfjs from '@tensorflow/tfjs-core';
import { loadBinding } from './native/binding.ts';
import { choosePrecision } from './precision.ts';
import { compilesFunctions, hasFusedNodes } from './probe.ts';
import type { Program } from './program.ts';
import { createEagerSession } from './eager/session-eager.ts';
import { createTensorflowSession } from './graph/session-tensorflow.ts';
import type { Session } from './session.ts';

const require = createRequire(import.meta.url);

/** A backend that was chosen, and why not a faster one. */
export interface ChosenBackend {
  readonly name: Backend;
  /** In words, for the report. */
  readonly reason: string;
}

/**
 * The backend to run on: the one wanted, else the fastest that works here.
 *
 * @throws when the wanted backend does not work here.
 */
export function chooseBackend(wanted?: Backend): ChosenBackend {
  if (wanted === 'cpu') return { name: 'cpu', reason: 'Plain JavaScript was asked for; it is for tests.' };
  if (wanted === 'wasm') return { name: 'wasm', reason: 'WebAssembly was asked for.' };
  const native = loadBinding();
  if (native.isLoaded) return { name: 'tensorflow', reason: `TensorFlow ${native.version} is set up here.` };
  if (wanted === 'tensorflow') throw new Error(`${native.reason} ${native.help}`);
  return {
    name: 'wasm',
    reason: `${native.reason} Training runs on WebAssembly, about 4 times slower. ${native.help}`,
  };
}

/** Loads tfjs-core with one of its own backends. */
async function loadTfjs(name: 'wasm' | 'cpu'): Promise<typeof Tfjs> {
  const tf = await import('@tensorflow/tfjs-core');
  tf.env().set('PROD', true); // Keeps the library's advertisement out of the output.
  await import('@tensorflow/tfjs-backend-cpu');
  if (name === 'wasm') {
    const wasm = await import('@tensorflow/tfjs-backend-wasm');
    const binary = require.resolve('@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm');
    wasm.setWasmPaths(binary.slice(0, -'tfjs-backend-wasm.wasm'.length));
  }
  const works = await tf.setBackend(name);
  if (!works) throw new Error(`The ${name} backend does not start on this machine.`);
  await tf.ready();
  return tf;
}

/** How a session computes. */
export interface SessionOptions {
  /** Absent: the fastest that works here. */
  readonly backend?: Backend;
  /**
   * The element type inside matrix products; weights, sums and everything else stay float32.
   * `auto` takes bfloat16 where a short measurement shows that it is faster. The default is float32.
   */
  readonly matmul?: 'float32' | 'bfloat16' | 'auto';
}

/** Makes a program ready to run. */
export async function createSession(program: Program, options: SessionOptions = {}): Promise<Session> {
  const { name } = chooseBackend(options.backend);
  if (name !== 'tensorflow') return createEagerSession(await loadTfjs(name), program);
  const native = loadBinding();
  if (!native.isLoaded) throw new Error(native.reason);
  const { binding } = native;
  const { matmul = 'float32' } = options;
  return createTensorflowSession(binding, program, {
    usesXla: hasFusedNodes(program) && (await compilesFunctions(binding)),
    matmul: matmul === 'auto' ? (await choosePrecision(matmul, name)).name : matmul,
  });
}
