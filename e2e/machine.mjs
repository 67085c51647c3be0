// A machine of its own for the README's picture (machine.sh): real programs at work in a process namespace, watched by the
// real server, so that the picture shows neither made-up processes nor those of whoever draws it. Linux, as root.
import { spawn, spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { binary } from './harness.mjs';

const script = join(dirname(fileURLToPath(import.meta.url)), 'machine.sh');
const NAMESPACES = ['--pid', '--fork', '--kill-child', '--mount', '--uts', '--cgroup', '--mount-proc'];
export const NAME = 'shop-1';

/** The machine's page and how to sign in to it, or null where such a machine cannot be made. */
export async function startMachine() {
  if (spawnSync('unshare', [...NAMESPACES, 'true']).status !== 0) return null;
  const child = spawn('unshare', [...NAMESPACES, 'sh', script, binary()], { stdio: ['ignore', 'pipe', 'ignore'] });
  for await (const line of createInterface({ input: child.stdout })) {
    const link = /http:\/\/127\.0\.0\.1:\d+\/sign-in\?\S+/.exec(line)?.[0];
    if (!link) continue;
    child.stdout.resume();
    return { link, url: new URL(link).origin, started: Date.now(), close: () => child.kill('SIGKILL') };
  }
  child.kill('SIGKILL');
  return null;
}
