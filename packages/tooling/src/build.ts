/** `npm run build`: compiles every public package to `dist/`, with types, as its publishConfig names it. */
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { rolldown } from 'rolldown';
import { readPackages } from './source-files.ts';

const root = join(import.meta.dirname, '..', '..', '..');

interface Manifest {
  readonly private?: boolean;
}

const isPublic = (folder: string): boolean =>
  (JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8')) as Manifest).private !== true; // npm's format.

/** Compiles everything at once: a package sees the sources of the others, not their builds. */
function compile(folders: readonly string[], out: string): boolean {
  const config = join(out, 'tsconfig.json');
  const content = {
    extends: join(root, 'tsconfig.json'),
    compilerOptions: {
      noEmit: false,
      allowImportingTsExtensions: false,
      rewriteRelativeImportExtensions: true,
      declaration: true,
      rootDir: join(root, 'packages'),
      outDir: join(out, 'build'),
      typeRoots: [join(root, 'node_modules', '@types')],
    },
    include: folders.map((folder) => join(root, folder, 'src')),
  };
  writeFileSync(config, JSON.stringify(content));
  return (
    spawnSync('tsc', ['-p', config], { stdio: 'inherit', shell: process.platform === 'win32' }).status === 0
  );
}

/**
 * The command line is one bundle with the engine, in CommonJS: a start reads one file instead of a hundred, and loads
 * nothing of what it does not use. What a run that reuses everything needs is one chunk; the rest is split where it is
 * loaded later. Dependencies stay outside.
 */
async function bundleCommandLine(): Promise<void> {
  const out = join(root, 'packages', 'cli', 'dist');
  const bundle = await rolldown({
    input: {
      main: join(root, 'packages', 'cli', 'src', 'main.ts'),
      'worker-main': join(root, 'packages', 'core', 'src', 'execute', 'worker-main.ts'),
      'scheduled-run': join(root, 'packages', 'cli', 'src', 'scheduled-run.ts'),
      'read-main': join(root, 'packages', 'core', 'src', 'read-main.ts'),
    },
    platform: 'node',
    external: (id) =>
      !/^[./]/.test(id) && !isAbsolute(id) && !/^@joyul\/(?:core(?:\/schedule)?|plugin-api)$/.test(id),
    treeshake: { moduleSideEffects: false },
    logLevel: 'warn',
  });
  // Types stay; code that was compiled file by file goes.
  for (const entry of readdirSync(out, { recursive: true, encoding: 'utf8' }))
    if (entry.endsWith('.js')) rmSync(join(out, entry));
  await bundle.write({
    dir: out,
    format: 'cjs',
    entryFileNames: '[name].cjs',
    chunkFileNames: '[name].cjs',
    codeSplitting: {
      groups: [
        // What is needed before compiled code is cached must not bring the engine along.
        { name: 'start', test: /packages.cli.src.user-folders\.ts$/, priority: 1 },
        { name: 'engine', test: /packages.cli.src.(?:command-line|commands.run)\.ts$/ },
      ],
    },
  });
  await bundle.close();
}

const folders = readPackages(root)
  .map((item) => item.folder)
  .filter(isPublic);
// Beside the packages, so that a rename moves what was built.
const out = mkdtempSync(join(root, 'node_modules', '.build-'));
try {
  if (compile(folders, out)) {
    for (const folder of folders) {
      const built = join(out, 'build', folder.replace(/^packages\//, ''), 'src');
      if (!existsSync(built)) continue;
      rmSync(join(root, folder, 'dist'), { recursive: true, force: true });
      renameSync(built, join(root, folder, 'dist'));
    }
    await bundleCommandLine();
    process.stdout.write(`Built ${folders.length} packages.\n`);
  } else process.exitCode = 1;
} finally {
  rmSync(out, { recursive: true, force: true });
}
