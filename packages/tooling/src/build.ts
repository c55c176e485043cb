/** `npm run build`: compiles every public package to `dist/`, with types, as its publishConfig names it. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
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
    process.stdout.write(`Built ${folders.length} packages.\n`);
  } else process.exitCode = 1;
} finally {
  rmSync(out, { recursive: true, force: true });
}
