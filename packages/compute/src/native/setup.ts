/**
 * Gets the addon that lets tfjs-node's binding run on TensorFlow's C library, once per user and machine.
 *
 * tfjs-node's own install script downloads unchecked binaries from one host and writes into
 * node_modules. This takes the library from a hash-checked Python wheel (no Python needed) and compiles
 * the addon, two C++ files, outside node_modules; the vendor's script, run on a copy, is the second choice.
 * Where neither works the project goes on with WebAssembly, so this never fails the set-up.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { downloadFile, extractZip, listPypiFiles } from '@joyul/sources';
import { configVariable } from '../graph/session-config.ts';
import {
  addonIn,
  addonName,
  cacheDir,
  findAddon,
  findTfjsNode,
  pinnedVersion,
  tensorflowVersion,
  wheels,
} from './addon.ts';

const exec = promisify(execFile);
const require = createRequire(import.meta.url);
const minuteMs = 60_000;
const print = (line: string): void => void process.stderr.write(`${line}\n`);

const headerFolders = [
  'tensorflow/c/',
  'tensorflow/core/platform/ctstring',
  'tsl/c/',
  'tsl/platform/ctstring',
  'xla/tsl/',
];

/** True for what the build needs from a wheel: the C library and its headers. */
function isWanted(name: string): boolean {
  return (
    name.startsWith('tensorflow/libtensorflow_') ||
    headerFolders.some((folder) => name.startsWith(`tensorflow/include/${folder}`))
  );
}

async function findCompiler(): Promise<string> {
  for (const name of ['c++', 'g++', 'clang++']) {
    const works = await exec(name, ['--version']).then(
      () => true,
      () => false,
    );
    if (works) return name;
  }
  throw new Error('no C++ compiler (c++, g++ or clang++) is installed');
}

/** The wheel of this platform on the index: the pinned one, or the same platform's of the release that is compared. */
async function findWheel(): Promise<{
  readonly url: string;
  readonly filename: string;
  readonly sha256: string;
}> {
  const wheel = wheels[`${process.platform}-${process.arch}`];
  if (wheel === undefined) throw new Error(`no wheel is known for ${process.platform}-${process.arch}`);
  const files = await listPypiFiles(wheel.project, {});
  const isPinned = tensorflowVersion === pinnedVersion;
  const [project = ''] = wheel.filename.split('-', 1);
  const [system] = /(?:manylinux|macosx)/.exec(wheel.filename) ?? [''];
  const [machine] = /(?:x86_64|aarch64|arm64)\.whl$/.exec(wheel.filename) ?? [''];
  const found = files.find(({ filename }) =>
    isPinned
      ? filename === wheel.filename
      : filename.startsWith(`${project}-${tensorflowVersion}-cp311-`) &&
        filename.includes(system) &&
        filename.endsWith(machine),
  );
  // Another release than the pinned one is no more than what the index says of it.
  const sha256 = isPinned ? wheel.sha256 : found?.hashes['sha256'];
  if (found === undefined || sha256 === undefined)
    throw new Error(`the package index has no ${wheel.project} ${tensorflowVersion} for this platform`);
  return { url: found.url, filename: found.filename, sha256 };
}

async function downloadWheel(folder: string): Promise<string> {
  const wheel = await findWheel();
  print(`Downloading TensorFlow's C library ${tensorflowVersion} (about 210 MB, once).`);
  const target = join(folder, wheel.filename);
  let shown = 0;
  const onProgress = ({ doneBytes, totalBytes = 0 }: { doneBytes: number; totalBytes?: number }): void => {
    const percent = totalBytes === 0 ? 0 : Math.floor((100 * doneBytes) / totalBytes);
    if (percent < shown + 25) return;
    shown = percent;
    print(`  ${percent} %`);
  };
  const integrity = { algorithm: 'sha256', value: wheel.sha256, encoding: 'hex' } as const;
  await downloadFile(wheel.url, target, { downloadDir: folder, onProgress }, { integrity });
  return target;
}

/**
 * Read before the addon's own sources. Tensors get a copy of the data instead of sharing the memory of JavaScript.
 *
 * tfjs-node lends a typed array's memory to TensorFlow and gives it back in a callback. TensorFlow calls that on
 * whichever of its threads lets go of the tensor last, and giving back from another thread than Node's destroys
 * V8's memory: a run in a few hundred ends with `free(): invalid pointer`.
 *
 * Sessions get a configuration, which tfjs-node has no way to give.
 */
const ownHeader = `#include <cstdlib>
#include <cstring>
#include <string>
#include "tensorflow/c/c_api.h"
static inline TF_Tensor* CopyTensor(TF_DataType type, const int64_t* dims, int rank, void* data, size_t size,
                                    void (*give_back)(void*, size_t, void*), void* argument) {
  TF_Tensor* tensor = TF_AllocateTensor(type, dims, rank, size);
  std::memcpy(TF_TensorData(tensor), data, size);
  give_back(data, size, argument);
  return tensor;
}
#define TF_NewTensor CopyTensor
static inline TF_SessionOptions* NewConfiguredOptions() {
  TF_SessionOptions* options = TF_NewSessionOptions();
  const char* digits = std::getenv("${configVariable}");
  std::string config;
  for (const char* at = digits; at != nullptr && at[0] != 0 && at[1] != 0; at += 2)
    config.push_back(static_cast<char>(std::stoi(std::string(at, 2), nullptr, 16)));
  TF_Status* status = TF_NewStatus();
  TF_SetConfig(options, config.data(), config.size(), status);
  TF_DeleteStatus(status);
  return options;
}
#define TF_NewSessionOptions NewConfiguredOptions
`;

async function compile(compiler: string, target: string, unpacked: string, sources: string): Promise<void> {
  const libraries = join(target, 'deps', 'lib');
  const names = (await readdir(libraries)).filter((name) => name.startsWith('libtensorflow_'));
  const addon = addonIn(target);
  await mkdir(dirname(addon), { recursive: true });
  const link =
    process.platform === 'darwin'
      ? ['-bundle', '-undefined', 'dynamic_lookup', '-Wl,-rpath,@loader_path/../../deps/lib']
      : ['-shared', '-fPIC', '-Wl,-rpath,$ORIGIN/../../deps/lib'];
  const headers = require('node-api-headers') as { readonly include_dir: string }; // Its documented export.
  const includes = [headers.include_dir, join(unpacked, 'include'), sources].map((folder) => `-I${folder}`);
  const header = join(unpacked, 'own.h');
  await writeFile(header, ownHeader);
  const inputs = ['tfjs_backend.cc', 'tfjs_binding.cc'].map((name) => join(sources, 'binding', name));
  const options = ['-std=c++17', '-O2', '-w', '-DNAPI_VERSION=8', ...includes, '-include', header];
  await exec(
    compiler,
    [...options, ...link, '-o', addon, ...inputs, ...names.map((name) => join(libraries, name))],
    {
      timeout: 5 * minuteMs,
    },
  );
}

async function buildFromWheel(target: string, sources: string): Promise<void> {
  const compiler = await findCompiler(); // Before the download, which is useless without one.
  const work = join(target, 'download');
  await mkdir(work);
  const wheel = await downloadWheel(work);
  await extractZip(wheel, work, isWanted);
  const unpacked = join(work, 'tensorflow');
  const libraries = join(target, 'deps', 'lib');
  await mkdir(libraries, { recursive: true });
  for (const name of await readdir(unpacked)) {
    if (name.startsWith('libtensorflow_')) await rename(join(unpacked, name), join(libraries, name));
  }
  print('Compiling the addon.');
  await compile(compiler, target, unpacked, sources);
  await rm(work, { recursive: true });
}

async function runVendorInstaller(target: string, sources: string): Promise<void> {
  // The vendor's manifest names the host of its binaries.
  const manifest = JSON.parse(await readFile(join(sources, 'package.json'), 'utf8')) as {
    readonly binary: { readonly host: string };
  };
  await fetch(manifest.binary.host, { method: 'HEAD', signal: AbortSignal.timeout(5000) });
  print("Running tfjs-node's own installer.");
  // The installer rewrites its package.json: it gets a copy, so that no package store is touched.
  const isOwn = (source: string): boolean => !source.slice(sources.length).includes('node_modules');
  await cp(sources, target, { recursive: true, dereference: true, filter: isOwn });
  const modules = dirname(dirname(sources));
  await symlink(modules, join(target, 'node_modules'), 'junction');
  const path = [join(sources, 'node_modules', '.bin'), join(modules, '.bin'), process.env['PATH'] ?? ''];
  const env = { ...process.env, PATH: path.join(delimiter) };
  await exec(process.execPath, ['scripts/install.js'], { cwd: target, env, timeout: 20 * minuteMs });
}

/** Starts a fresh Node that must load the addon and run a program on it. */
async function verify(cache: string): Promise<void> {
  const check = `import { loadBinding } from ${JSON.stringify(new URL('./binding.ts', import.meta.url).href)};
const found = loadBinding();
if (!found.isLoaded) throw new Error(found.reason);
found.binding.deleteTensor(found.binding.createTensor([1], 1, new Float32Array(1)));`;
  const env = { ...process.env, JOYUL_CACHE: cache };
  await exec(process.execPath, ['--input-type=module', '--eval', check], { env, timeout: minuteMs });
}

/** True when the addon that is there works; a half-removed or foreign one does not. */
async function canLoad(cache: string): Promise<boolean> {
  return verify(cache).then(
    () => true,
    () => false,
  );
}

/** Takes an addon away that is there but does not load, so that a new one can be put in its place. */
async function removeDamaged(target: string, cache: string): Promise<void> {
  if (!existsSync(target)) return;
  print('The addon that is set up does not load; it is made again.');
  // Renamed first: its name must never stand for a folder that is half gone.
  const aside = await mkdtemp(join(cache, `.setup-${process.pid}-`));
  await rename(target, join(aside, addonName));
  await rm(aside, { recursive: true, force: true });
}

/** Removes what killed set-ups left: work folders whose process is gone. */
async function removeLeftovers(cache: string): Promise<void> {
  for (const name of await readdir(cache).catch(() => [])) {
    const owner = /^\.setup-(\d+)-/.exec(name)?.[1];
    if (owner !== undefined && !isAlive(Number(owner)))
      await rm(join(cache, name), { recursive: true, force: true });
  }
}

function isAlive(processId: number): boolean {
  try {
    process.kill(processId, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** Returns the addon's path, or undefined where this machine has to do without it. */
export async function setUpNative(): Promise<string | undefined> {
  const cache = cacheDir();
  const present = findAddon();
  if (present !== undefined && (await canLoad(cache))) return present;
  const sources = findTfjsNode();
  if (sources === undefined) return undefined;
  await mkdir(cache, { recursive: true });
  await removeLeftovers(cache);
  await removeDamaged(join(cache, addonName), cache);
  const reasons: string[] = [];
  for (const attempt of [buildFromWheel, runVendorInstaller]) {
    // Each run works in a folder of its own, on the same disk; the first to finish is kept.
    const work = await mkdtemp(join(cache, `.setup-${process.pid}-`));
    const target = join(work, addonName);
    try {
      await mkdir(target);
      await attempt(target, sources);
      await verify(work);
      await rename(target, join(cache, addonName)).catch((error: unknown) => {
        if (!existsSync(addonIn(join(cache, addonName)))) throw error;
      });
      return findAddon();
    } catch (error) {
      reasons.push(
        `  ${attempt.name}: ${(error instanceof Error ? error.message : String(error)).slice(0, 400)}`,
      );
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  }
  print(["TensorFlow's C library could not be set up:", ...reasons].join('\n'));
  return undefined;
}

if (import.meta.main && process.env['JOYUL_NATIVE'] !== '0') {
  const before = findAddon();
  const addon = await setUpNative();
  if (addon === undefined)
    print(
      'Models run on WebAssembly: training is about 4 times slower. `npm run joyul doctor` says what is missing.',
    );
  else if (before !== addon) print('TensorFlow is ready.');
  // The caller remembers the file; nothing means that this machine does without.
  process.stdout.write(`${addon ?? ''}\n`);
}
