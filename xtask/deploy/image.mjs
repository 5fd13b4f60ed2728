// Builds the image of deploy/Dockerfile on a base made by mmdebstrap, around a binary that is built already, and runs
// the README's tour in it: with the image's own settings and user, without capabilities, on a read-only root.
//   node image.mjs <binary> <repository> <folder for the image> <port>
// Runs as root. No container engine is needed: buildah builds by chroot, and so does this run.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { chownSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { randomBytes } from "node:crypto";

const [binary, repository, folder, port] = process.argv.slice(2);
const home = "/var/lib/portcullis";

function run(program, args, options = {}) {
  const stdio = ["ignore", "pipe", "inherit"];
  const { status, stdout, error } = spawnSync(program, args, { encoding: "utf8", stdio, ...options });
  if (error) throw error;
  assert.equal(status, 0, `${program} ${args.join(" ")}`);
  return stdout.trim();
}

const storage = ["--root", join(folder, "storage"), "--runroot", join(folder, "run"), "--storage-driver", "vfs"];
const env = { ...process.env, BUILDAH_ISOLATION: "chroot" };
const buildah = (...args) => run("buildah", [...storage, ...args], { env });

// The base is the release of this system, whose libraries the binary was linked to.
function build() {
  const release = readFileSync("/etc/os-release", "utf8").match(/^VERSION_CODENAME=(.*)$/m)[1];
  buildah("from", "--name", "base", "scratch");
  run("mmdebstrap", ["--quiet", "--variant=minbase", release, buildah("mount", "base")]);
  buildah("commit", "--quiet", "base", "localhost/base");
  const context = join(folder, "binary");
  mkdirSync(context);
  copyFileSync(binary, join(context, "portcullis"));
  run("strip", [join(context, "portcullis")]);
  writeFileSync(join(context, "Dockerfile"), "FROM scratch\nCOPY portcullis /portcullis\n");
  buildah("build", "--quiet", "-t", "localhost/binary", context);
  const parts = ["RUN_BASE=localhost/base", "BINARY=localhost/binary"].flatMap((part) => ["--build-arg", part]);
  const file = join(repository, "deploy/Dockerfile");
  buildah("build", "--quiet", "--format", "docker", "-f", file, ...parts, "-t", "localhost/portcullis", context);
  buildah("from", "--name", "service", "localhost/portcullis");
  const { config } = JSON.parse(buildah("inspect", "--type", "image", "localhost/portcullis")).Docker;
  return { config, root: buildah("mount", "service") };
}

// Arguments of `unshare` that run a program of the image as an engine does: with its user, settings and folder.
function inImage({ config, root }, command, settings) {
  const mounts = [
    'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1"',
    `mount --bind "$2" "$1${home}"`,
    'mount -t tmpfs tmpfs "$1/tmp" && mount -t proc proc "$1/proc"',
  ];
  const [user, group] = config.User.split(":");
  const drop = `setpriv --reuid=${user} --regid=${group} --clear-groups --pdeathsig=TERM --bounding-set=-all --no-new-privs`;
  const script = `${mounts.join(" && ")} && root="$1" && shift 2 && exec chroot "$root" ${drop} "$@"`;
  const environment = ["env", "-i", `--chdir=${config.WorkingDir}`, ...config.Env, ...settings];
  const unshared = ["--mount", "--pid", "--fork"];
  return [...unshared, "sh", "-c", script, "sh", root, volume, ...environment, ...command];
}

// The commands of the README's tour, for this address.
function tour() {
  const text = readFileSync(join(repository, "README.md"), "utf8").split("\n## A tour\n")[1].split("\n## ")[0];
  const commands = text.split("\n").filter((line) => line.startsWith("    "));
  return commands.join("\n").replaceAll("localhost:8000", `localhost:${port}`);
}

async function ready() {
  for (let wait = 0; wait < 200; wait += 1) {
    if (await fetch(`http://localhost:${port}/health/ready`).then((response) => response.ok, () => false)) return;
    await new Promise((done) => setTimeout(done, 50));
  }
  assert.fail("the service is not ready");
}

async function stopped() {
  for (let wait = 0; wait < 200; wait += 1) {
    if (await fetch(`http://localhost:${port}/health`).then(() => false, () => true)) return;
    await new Promise((done) => setTimeout(done, 50));
  }
  assert.fail("the service goes on after its stop");
}

const image = build();
const { config } = image;
assert.deepEqual([config.User, config.StopSignal, config.Healthcheck.Test], ["65532:65532", "SIGTERM", ["CMD", "portcullis", "health"]]);
const volume = join(folder, "volume");
mkdirSync(volume, { mode: 0o700 });
chownSync(volume, 65532, 65532);
const settings = [`SECRET_KEY=${randomBytes(32).toString("hex")}`, `PORT=${port}`, `PUBLIC_URL=http://localhost:${port}`];
const program = (...command) => spawnSync("unshare", inImage(image, command, settings), { encoding: "utf8" });
const served = spawn("unshare", inImage(image, [...config.Entrypoint, ...config.Cmd], settings), { stdio: "ignore" });
const ended = new Promise((done) => served.once("exit", done));
try {
  await ready();
  const shown = run("bash", ["-euo", "pipefail", "-c", tour()], { cwd: volume });
  assert.match(shown, new RegExp(`http://localhost:${port}/account/reset\\?token=[0-9a-f]+$`), shown);
  assert.match(shown, /AUTH_TOKEN_REVOKED[^]*Logged out successfully/);
  const { status } = program(...config.Healthcheck.Test.slice(1), "--ready");
  assert.equal(status, 0, "health --ready");
  assert.match(program("id").stdout, /^uid=65532 gid=65532 groups=65532$/m);
  assert.match(program("touch", "/etc/x").stderr, /Read-only file system/);
  assert.match(program("grep", "-E", "Cap(Eff|Bnd)", "/proc/self/status").stdout, /CapEff:\t0+\nCapBnd:\t0+\n/);
  assert.match(program("portcullis", "--version").stdout, /OpenSSL/);
  console.log(`${program("portcullis", "--version").stdout.trim()}; the tour passed in the image`);
} finally {
  // unshare ignores SIGTERM; its end sends one to the service, by --pdeathsig.
  served.kill("SIGKILL");
  await ended;
  await stopped();
}
