import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

const require = createRequire(import.meta.url);

/** The TensorFlow release that everything is tested with. */
export const pinnedVersion = '2.15.1';

/** The TensorFlow release whose C library is used; JOYUL_TENSORFLOW names another one, to compare it. */
export const tensorflowVersion = process.env['JOYUL_TENSORFLOW'] ?? pinnedVersion;

/** Names the platform, TensorFlow and tfjs-node that one built addon is for, and how it was built. */
export const addonName = `tfjs-node-4.22.0-configured-tensorflow-${tensorflowVersion}-${process.platform}-${process.arch}`;

/** A wheel on the Python package index that holds TensorFlow's C library for one platform. */
export interface Wheel {
  readonly project: string;
  readonly filename: string;
  readonly sha256: string;
}

/** Where a platform's C library of the pinned release comes from; any CPython's wheel has the same library. */
export const wheels: Readonly<Record<string, Wheel>> = {
  'linux-x64': {
    project: 'tensorflow-cpu',
    filename: `tensorflow_cpu-${pinnedVersion}-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl`,
    sha256: '54660c074d7241a503e81edfd9f5ef5af88f64051b72e2945f26318c790f2d26',
  },
  'linux-arm64': {
    project: 'tensorflow-cpu-aws',
    filename: `tensorflow_cpu_aws-${pinnedVersion}-cp311-cp311-manylinux_2_17_aarch64.manylinux2014_aarch64.whl`,
    sha256: 'd4c3a3a9363bf42999adedbbd514e3a133be2d62f61fee9cfa46aaefb087c09e',
  },
  'darwin-arm64': {
    project: 'tensorflow',
    filename: `tensorflow-${pinnedVersion}-cp311-cp311-macosx_12_0_arm64.whl`,
    sha256: 'aa926114d1e13ffe5b2ea59c3f195216f26646d7fe36e9e5207b291e4b7902ff',
  },
  'darwin-x64': {
    project: 'tensorflow',
    filename: `tensorflow-${pinnedVersion}-cp311-cp311-macosx_10_15_x86_64.whl`,
    sha256: '6761efe511e6ee0f893f60738fefbcc51d6dc386eeaaafea59d21899ef369ffd',
  },
};

/** The folder that all projects of one user share; what is in it is whole and never changed. */
export function cacheDir(): string {
  const base = process.env['XDG_CACHE_HOME'];
  return (
    process.env['JOYUL_CACHE'] ??
    join(base === undefined || base === '' ? join(homedir(), '.cache') : base, 'joyul')
  );
}

/** The folder of the installed @tensorflow/tfjs-node, or undefined where it is not installed. */
export function findTfjsNode(): string | undefined {
  try {
    return dirname(require.resolve('@tensorflow/tfjs-node/package.json'));
  } catch {
    return undefined;
  }
}

/** The addon's place inside a folder laid out like @tensorflow/tfjs-node. */
export function addonIn(folder: string): string {
  return join(folder, 'lib', 'napi-v8', 'tfjs_binding.node');
}

/** The addon to load: the set-up's own, else one that tfjs-node's installer put into node_modules. */
export function findAddon(): string | undefined {
  const folders = [join(cacheDir(), addonName), findTfjsNode()];
  return folders
    .filter((folder) => folder !== undefined)
    .map(addonIn)
    .find((file) => existsSync(file));
}
