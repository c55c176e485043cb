import { createRequire } from 'node:module';
import { findAddon } from './addon.ts';

/** A tensor that the native library holds. */
export interface NativeTensor {
  readonly id: number;
  readonly shape: readonly number[];
  readonly dtype: number;
}

/** The part of tfjs-node's addon that is used here. */
export interface Binding {
  createTensor(shape: readonly number[], dtype: number, data: Float32Array | Int32Array | Uint8Array): number;
  deleteTensor(id: number): void;
  tensorDataSync(id: number): Float32Array | Int32Array | Uint8Array;
  loadSavedModel(folder: string, tags: string): number;
  deleteSavedModel(id: number): void;
  runSavedModel(
    id: number,
    inputs: readonly number[],
    inputNames: string,
    outputNames: string,
  ): readonly NativeTensor[];
  readonly TF_Version: string;
}

/** The loaded library, or why there is none. */
export type LoadedBinding =
  | { readonly isLoaded: true; readonly binding: Binding; readonly version: string; readonly file: string }
  | { readonly isLoaded: false; readonly reason: string; readonly help: string };

let loaded: LoadedBinding | undefined;

/** Loads TensorFlow's C library through tfjs-node's addon, once per process. */
export function loadBinding(): LoadedBinding {
  loaded ??= load();
  return loaded;
}

/** Whether this process has loaded the library already. */
export const isNativeLoaded = (): boolean => loaded?.isLoaded === true;

function load(): LoadedBinding {
  const file = findAddon();
  const help = 'Run `npm run setup` in the project, or set --backend wasm to go on without it.';
  if (file === undefined)
    return { isLoaded: false, reason: "TensorFlow's C library is not set up on this machine.", help };
  // The library writes lines about its own start to stderr unless it is told not to, before it loads. What fails
  // comes back as a status in any case.
  process.env['TF_CPP_MIN_LOG_LEVEL'] ??= '3';
  try {
    const binding = createRequire(import.meta.url)(file) as Binding; // The addon's exports, as tfjs-node declares them.
    return { isLoaded: true, binding, version: binding.TF_Version, file };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { isLoaded: false, reason: `TensorFlow's C library does not load: ${message}`, help };
  }
}
