/** Installs the tools that Joyul is compared with, each in a folder of its own, once. */
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runInstaller } from '../shared/run-installer.ts';

/** A package with the command of a peer. */
interface PeerPackage {
  readonly name: string;
  readonly version: string;
  readonly from: 'npm' | 'pip';
}

/** The peers, each at the version that every figure is for. */
export const peerPackages = [
  { name: 'turbo', version: '2.11.11', from: 'npm' },
  { name: 'wireit', version: '0.14.13', from: 'npm' },
  { name: 'ninja', version: '1.11.1.4', from: 'pip' },
  { name: 'dvc', version: '3.67.1', from: 'pip' },
] as const satisfies readonly PeerPackage[];

/** Which peer. */
export type PeerName = (typeof peerPackages)[number]['name'];

/** Where a peer is, or why it is not there. */
export type Peer = { readonly folder: string } | { readonly problem: string };

/** The commands that install a package into a folder. */
function installCommands(peer: PeerPackage, folder: string, python: string): readonly (readonly string[])[] {
  if (peer.from === 'npm') {
    const flags = ['--no-audit', '--no-fund', '--no-update-notifier'];
    return [['npm', 'install', ...flags, `${peer.name}@${peer.version}`]];
  }
  const pip = [join(folder, 'bin', 'python'), '-m', 'pip', 'install', '--quiet'];
  return [
    [python, '-m', 'venv', folder],
    [...pip, `${peer.name}==${peer.version}`],
  ];
}

/** Installs one peer unless it is there; nothing half installed is taken for a peer. */
async function installPeer(peer: PeerPackage, cache: string, python: string): Promise<Peer> {
  const folder = join(cache, `${peer.name}-${peer.version}`);
  const stamp = join(folder, 'installed');
  if (existsSync(stamp)) return { folder };
  console.error(`Installing ${peer.name} ${peer.version} …`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  if (peer.from === 'npm') writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  for (const command of installCommands(peer, folder, python)) {
    const problem = await runInstaller(command, folder);
    if (problem !== undefined) return { problem };
  }
  writeFileSync(stamp, '');
  return { folder };
}

/** Installs all peers, one after the other. */
export async function installPeers(cache: string, python: string): Promise<ReadonlyMap<PeerName, Peer>> {
  const peers = new Map<PeerName, Peer>();
  for (const peer of peerPackages) peers.set(peer.name, await installPeer(peer, cache, python));
  return peers;
}
