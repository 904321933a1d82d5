// Looks at the pages of a demo lab in a real browser, as people do: `node tests/browser/run.mjs PROGRAM [DIRECTORY]`.
// With a directory it leaves screenshots there. It needs Chromium, and playwright-core and axe-core where Node.js finds them
// (NODE_MODULES names the directory that has them).
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const [program, pictures] = process.argv.slice(2);
const require = createRequire(`${process.env.NODE_MODULES ?? process.cwd()}/`);
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

/** Starts a demo and reads where it is and how to log in. */
async function demo(...more) {
  const child = spawn(program, ["demo", "--past", "2h", "--pace", "1s", ...more], { stdio: ["ignore", "pipe", "inherit"] });
  const said = {};
  for await (const line of createInterface({ input: child.stdout })) {
    const [name, value] = line.split(/: (.*)/);
    said[name] = value;
    if (name === "secret") break;
  }
  assert.ok(said["demo lab"], "the demo did not start");
  return { url: said["demo lab"], client: said.client, secret: said.secret, end: () => child.kill("SIGINT") };
}

const problems = [];
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-dev-shm-usage"],
});

/** A window in which whatever is wrong is noted: errors, violations of the policy, requests to other hosts. */
async function window(url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  context.setDefaultTimeout(60_000);
  const page = await context.newPage();
  const note = (what) => problems.push(`${page.url()}: ${what}`);
  page.on("pageerror", (error) => note(error.message));
  page.on("console", (message) => {
    // What the browser says of a status is what the test asked for.
    if (["error", "warning"].includes(message.type()) && !/status of (4|503)/.test(message.text())) note(message.text());
  });
  page.on("request", (request) => { if (!request.url().startsWith(url)) note(`asks ${request.url()}`); });
  return { page, context, open: (path) => page.goto(url + path) };
}

let step = "";
async function test(name, run) {
  step = name;
  const begun = Date.now();
  await run();
  console.log(`ok ${name} (${Date.now() - begun} ms)`);
}

const lab = await demo();
const get = async (path) => (await fetch(lab.url + path)).json();
async function token(client) {
  const headers = { Authorization: `Basic ${Buffer.from(`${client}:${lab.secret}`).toString("base64")}` };
  const answer = await fetch(`${lab.url}/v1/oauth2/token?format=json`, { method: "POST", headers });
  return (await answer.json()).access_token;
}
async function submit(job, client) {
  const headers = { "Content-Type": "application/json" };
  if (client) headers.Authorization = `Bearer ${await token(client)}`;
  const answer = await fetch(`${lab.url}/v1/job`, { method: "POST", headers, body: JSON.stringify(job) });
  return (await answer.json()).job_id;
}
const restricted = (name) => ({
  job_queue: "secureboot", name, provision_data: { distro: "noble" },
  test_data: { test_cmds: "set -e\nuname -a\nmake check\n" },
});

try {
  const jobs = await get("/v1/job/search");
  const first = (...states) => jobs.find((job) => states.includes(job.job_state))?.job_id;
  const pages = {
    home: "/", agents: "/agents", agent: "/agents/rpi5-01", jobs: "/jobs", job: `/jobs/${first("complete")}`,
    running: `/jobs/${first("test", "provision", "setup", "reserve")}`, waiting: `/jobs/${first("waiting")}`,
    queues: "/queues", queue: "/queues/rpi5", login: "/login", missing: "/jobs/none",
  };
  for (const [colorScheme, width] of [["light", 1280], ["dark", 1280], ["light", 390], ["dark", 390]]) {
    await test(`every page is sound, ${colorScheme}, ${width} px`, async () => {
      const { page, context, open } = await window(lab.url, { colorScheme, viewport: { width, height: 844 } });
      for (const [name, path] of Object.entries(pages)) {
        const answer = await open(path);
        assert.equal(answer.status(), name === "missing" ? 404 : 200, path);
        const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(over <= 0, `${path} is ${over} px too wide`);
        await page.evaluate(axe);
        const { violations } = await page.evaluate(() => globalThis.axe.run());
        for (const found of violations.filter(({ impact }) => ["serious", "critical"].includes(impact))) {
          problems.push(`${path} ${colorScheme} ${width}: ${found.help}: ${found.nodes.slice(0, 3).map((node) => node.html).join(" ")}`);
        }
        if (pictures && name !== "missing") {
          const file = `${pictures}/${name}-${colorScheme}-${width}.png`;
          await page.screenshot({ path: file, clip: { x: 0, y: 0, width, height: 844 } });
        }
      }
      await context.close();
    });
  }

  await test("agents are filtered and sorted", async () => {
    const { page, context, open } = await window(lab.url);
    await open("/agents");
    const names = () => page.locator("#agents tbody tr td:first-child a").allTextContents();
    const all = await names();
    assert.deepEqual(all, [...all].sort());
    await page.locator("#agents thead a", { hasText: "Agent" }).click();
    await page.locator("#agents thead a", { hasText: "Agent" }).click();
    assert.deepEqual(await names(), [...all].sort().reverse());
    await page.getByLabel("Text", { exact: true }).fill("row 2");
    await page.getByRole("button", { name: "Filter" }).click();
    assert.ok((await names()).every((name) => name.startsWith("xeon")));
    await page.getByLabel("State").selectOption("offline");
    await page.getByRole("button", { name: "Filter" }).click();
    await page.getByText("No agent matches.").waitFor();
    await context.close();
  });

  await test("jobs are filtered, and older ones are a page away", async () => {
    const { page, context, open } = await window(lab.url);
    await Promise.all(Array.from({ length: 55 }, (_, n) => submit({ job_queue: "riscv", name: `bulk ${n}`, tags: ["bulk"] })));
    await open("/jobs");
    const ids = () => page.locator("#jobs tbody tr td:first-child a").evaluateAll((links) => links.map((link) => link.href));
    const newest = await ids();
    await page.getByRole("link", { name: "Older" }).click();
    const older = await ids();
    assert.ok(older.length > 0 && older.every((id) => !newest.includes(id)));
    await page.getByRole("link", { name: "Newest" }).click();
    await page.getByLabel("Tag").fill("bulk");
    await page.getByRole("button", { name: "Filter" }).click();
    assert.equal((await ids()).length, 50);
    await page.getByRole("link", { name: "Failed" }).click();
    await page.getByText("No job matches.").waitFor();
    await page.getByPlaceholder("Find jobs").fill("bulk 17");
    await page.getByPlaceholder("Find jobs").press("Enter");
    assert.equal((await ids()).length, 1);
    await context.close();
  });

  /** A window that notes what its page asks for and what its stream tells. */
  async function watched() {
    const { page, ...more } = await window(lab.url);
    const asked = [];
    page.on("request", (request) => asked.push(new URL(request.url()).pathname));
    await page.addInitScript(() => {
      globalThis.told = [];
      const Native = globalThis.EventSource;
      globalThis.EventSource = class extends Native {
        constructor(...where) {
          super(...where);
          this.addEventListener("message", ({ data }) => globalThis.told.push(JSON.parse(data)));
        }
      };
      Object.defineProperty(document, "hidden", { get: () => globalThis.isHidden ?? false });
      globalThis.hide = (isHidden) => {
        globalThis.isHidden = isHidden;
        document.dispatchEvent(new Event("visibilitychange"));
      };
    });
    return { page, asked, told: () => page.evaluate(() => globalThis.told.length), ...more };
  }
  const isOver = (state) => state === "complete" || state.endsWith("failed");

  await test("a job goes through its phases while somebody looks, and nothing is asked for that was not told", async () => {
    const { page, context, open, asked, told } = await watched();
    const id = await submit(restricted("watched"), "firmware-team");
    await open(`/jobs/${id}`);
    await page.evaluate(() => { globalThis.stayed = true; });
    asked.length = 0;
    const seen = new Set();
    for (let tries = 0; tries < 480 && ![...seen].some(isOver); tries += 1) {
      seen.add(await page.locator("#head .state").textContent());
      await page.waitForTimeout(250);
    }
    assert.ok([...seen].filter((word) => ["setup", "provision", "test", "cleanup"].includes(word)).length >= 2, [...seen].join());
    assert.ok(await page.evaluate(() => globalThis.stayed), "the page was loaded again");
    assert.match(await page.locator("#phases").textContent(), /provision.*exit \d/s);
    await page.waitForTimeout(2000);
    const looks = asked.filter((path) => path === `/jobs/${id}`).length;
    assert.ok(looks > 0 && looks <= await told(), `${looks} pages for ${await told()} messages`);
    assert.ok(asked.every((path) => path === `/jobs/${id}` || path === `/jobs/${id}/stream`), asked.join());
    asked.length = 0;
    await page.waitForTimeout(6000);
    assert.deepEqual(asked, [], "the job has ended");
    const shown = await page.locator("#log-test-output pre").textContent();
    const whole = await (await fetch(`${lab.url}/jobs/${id}/log/output/test`)).text();
    assert.equal(shown, whole, "each line has arrived once");
    await context.close();
  });

  await test("a tab that nobody sees asks for nothing, and is up to date when it is seen again", async () => {
    const { page, context, open, asked, told } = await watched();
    await open("/jobs");
    await page.waitForFunction(() => globalThis.told.length > 0);
    await page.evaluate(() => globalThis.hide(true));
    await page.waitForTimeout(1000);
    asked.length = 0;
    const before = await told();
    await submit({ job_queue: "riscv", name: "while nobody looked" });
    await page.waitForTimeout(5000);
    assert.deepEqual([asked, await told()], [[], before]);
    await page.evaluate(() => globalThis.hide(false));
    await page.getByText("while nobody looked").waitFor();
    assert.equal(asked[0], "/stream");
    await context.close();
  });

  await test("a page whose stream is refused is asked for now and then", async () => {
    const { page, context, open, asked } = await watched();
    await page.route("**/stream?*", (route) => route.fulfill({ status: 503, body: "too many" }));
    const id = await submit(restricted("polled"), "firmware-team");
    await open(`/jobs/${id}`);
    await page.locator("#head .state", { hasText: /complete|failed/ }).waitFor({ timeout: 120_000 });
    assert.equal(asked.filter((path) => path.endsWith("/stream")).length <= 3, true, "a stream that is refused is left alone");
    await page.locator("#log-test-output pre").waitFor({ state: "attached" });
    assert.equal(await page.locator("#stale").isVisible(), false);
    await context.close();
  });

  await test("a log grows while somebody looks, is searched and is sent whole", async () => {
    const { page, context, open } = await window(lab.url);
    const id = await submit(restricted("logged"), "firmware-team");
    let log = 0;
    for (let tries = 0; tries < 120 && log === 0; tries += 1) {
      await open(`/jobs/${id}`);
      log = await page.locator("details[open] pre[data-grows]").count();
      await page.waitForTimeout(300);
    }
    const text = () => page.locator("pre[data-tail]").allTextContents();
    const before = (await text()).join("").length;
    await page.waitForFunction(
      (length) => [...document.querySelectorAll("pre[data-tail]")].map((log) => log.textContent).join("").length > length, before);
    await open(`/jobs/${first("complete")}`);
    await page.locator("#log-cleanup-output summary").click();
    const find = page.locator("#log-cleanup-output").getByLabel("Find in this log");
    await find.fill("POWERING");
    await find.press("Enter");
    assert.equal(await page.locator("mark").first().textContent(), "Powering");
    await page.getByRole("link", { name: "Whole log" }).click();
    await page.getByText("Powering the device off").first().waitFor();
    await page.getByRole("link", { name: "As text" }).click();
    assert.match(await page.textContent("body"), /Powering the device off/);
    await context.close();
  });

  /** A job that runs on an agent of this test: its id, and what posts its result and the next text of its log. */
  async function written(name) {
    const id = await submit({ job_queue: name, name });
    const headers = { "Content-Type": "application/json", Cookie: "agent_name=scribe" };
    await fetch(`${lab.url}/v1/job?queue=${name}`, { headers });
    const post = async (path, body) => {
      const answer = await fetch(lab.url + path, { method: "POST", headers, body: JSON.stringify(body) });
      assert.equal(answer.status, 200);
    };
    let number = 0;
    const say = (text) => {
      const fragment = { fragment_number: number, timestamp: new Date().toISOString(), phase: "test", log_data: text };
      number += 1;
      return post(`/v1/result/${id}/log/output`, fragment);
    };
    return { id, say, report: (result) => post(`/v1/result/${id}`, result) };
  }

  await test("what a log says stays text when it arrives while somebody looks", async () => {
    const { page, context, open } = await window(lab.url);
    const { id, say } = await written("hostile");
    await open(`/jobs/${id}`);
    await say("first\n");
    await page.getByText("first").waitFor();
    const evil = "</pre><img src=x onerror=alert(1)><script>alert(1)</script>&amp;\n";
    await say(evil);
    await page.waitForFunction((text) => document.querySelector("#log-test-output pre")?.textContent.endsWith(text), evil);
    assert.equal(await page.locator("#logs img, #logs script").count(), 0);
    await context.close();
  });

  await test("a log of 43 MB is scrolled through and searched", async () => {
    const { page, context, open } = await window(lab.url);
    const { id, say, report } = await written("endless");
    const line = (number) => `[${String(number).padStart(8)}] usb 1-1: new high-speed device, as a kernel writes it\n`;
    const lines = Math.ceil((43 << 20) / line(0).length);
    for (let from = 0; from < lines; from += 10_000) {
      const length = Math.min(10_000, lines - from);
      await say(Array.from({ length }, (_, n) => line(from + n)).join(""));
    }
    await report({ job_state: "complete" });
    const timed = async (what, run) => {
      const begun = Date.now();
      await run();
      console.log(`   ${what}: ${Date.now() - begun} ms`);
    };
    const sees = (number) => page.waitForFunction((text) => [...document.querySelectorAll(".parts pre")].some((part) => {
      const { top, bottom } = part.getBoundingClientRect();
      return bottom > 0 && top < innerHeight && part.textContent.includes(text);
    }), line(number).trim());
    const kept = () => page.evaluate(() => document.querySelector(".parts").textContent.length);
    await timed("the page of the job", () => open(`/jobs/${id}`));
    await timed("the first lines of the whole log", async () => {
      await page.locator("#log-test-output").getByRole("link", { name: "Whole log" }).click();
      await sees(0);
    });
    await timed("its last lines", async () => {
      await page.getByRole("link", { name: "End" }).click();
      await sees(lines - 1);
    });
    const worst = await page.evaluate(async () => {
      let [slowest, last] = [0, performance.now()];
      for (let step = 0; step < 200; step += 1) {
        scrollBy(0, -1500);
        await new Promise((resolve) => { requestAnimationFrame(resolve); });
        slowest = Math.max(slowest, performance.now() - last);
        last = performance.now();
      }
      return slowest;
    });
    console.log(`   the slowest of 200 frames: ${Math.round(worst)} ms; characters in the page: ${await kept()}`);
    assert.ok(await kept() < 8_000_000, "what cannot be seen is not kept");
    // Whoever drags the bar passes each part just when it arrives.
    await page.evaluate(async () => {
      const { scrollHeight } = document.documentElement;
      for (let top = 0; top < scrollHeight; top += 30_000) {
        scrollTo(0, top);
        await new Promise((resolve) => { setTimeout(resolve, 80); });
      }
    });
    await page.getByRole("link", { name: "End" }).click();
    await sees(lines - 1);
    console.log(`   characters in the page after its parts were passed: ${await kept()}`);
    assert.ok(await kept() < 8_000_000, "what was passed is not kept");
    await timed("a search", async () => {
      await page.getByLabel("Find").last().fill(`${lines - 5}]`);
      await page.getByLabel("Find").last().press("Enter");
      await page.locator("mark").waitFor();
    });
    await page.locator(".found a").click();
    await page.waitForFunction((text) => document.querySelector(".parts").textContent.includes(text), line(lines - 5).trim());
    await context.close();
  });

  await test("a job is cancelled", async () => {
    const { page, context, open } = await window(lab.url);
    const id = await submit({ job_queue: "riscv", name: "unwanted" });
    await open(`/jobs/${id}`);
    await page.getByText("No agent serves its queue.").waitFor();
    await page.getByRole("button", { name: "Cancel this job" }).click();
    await page.locator("#head .state", { hasText: "cancelled" }).waitFor();
    assert.equal(await page.getByRole("button", { name: "Cancel this job" }).count(), 0);
    await context.close();
  });

  await test("one logs in, sees one's own jobs, and logs out", async () => {
    const { page, context, open } = await window(lab.url);
    await open("/jobs");
    await page.getByRole("link", { name: "Log in" }).click();
    await page.getByLabel("Client id").fill("kernel-ci");
    await page.getByLabel("Secret").fill("wrong");
    await page.getByRole("button", { name: "Log in" }).click();
    await page.getByRole("alert").waitFor();
    await page.getByLabel("Secret").fill(lab.secret);
    await page.getByRole("button", { name: "Log in" }).click();
    await page.waitForURL("**/jobs");
    await page.getByRole("link", { name: "Mine" }).click();
    const by = await page.locator("#jobs tbody td[data-name=by]").allTextContents();
    assert.ok(by.length > 0 && by.every((client) => client === "kernel-ci"), by.join());
    await page.getByRole("button", { name: "Log out" }).click();
    await page.getByRole("link", { name: "Log in" }).waitFor();
    await context.close();
  });

  await test("a definition is copied, and light and dark are chosen", async () => {
    const { page, context, open } = await window(lab.url, { permissions: ["clipboard-read", "clipboard-write"] });
    await open(pages.job);
    await page.getByRole("button", { name: "Copy" }).click();
    await page.getByRole("button", { name: "Copied" }).waitFor();
    assert.match(await page.evaluate(() => navigator.clipboard.readText()), /^job_queue: .*test_cmds: \|/ms);
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await ground();
    await page.getByRole("button", { name: "Switch between light and dark" }).click();
    const dark = await ground();
    assert.notEqual(light, dark);
    await page.reload();
    assert.equal(await ground(), dark);
    await context.close();
  });

  await test("everything can be read with the keyboard and without JavaScript", async () => {
    const { page, context, open } = await window(lab.url, { javaScriptEnabled: false });
    for (const [path, words] of [["/agents", "rpi5-01"], ["/jobs", "Older"], [pages.job, "Definition"], ["/queues/rpi5", "Raspberry"]]) {
      await open(path);
      await page.getByText(words).filter({ visible: true }).first().waitFor();
    }
    await page.keyboard.press("Tab");
    assert.equal(await page.locator(":focus").textContent(), "Skip to the content");
    await context.close();
  });
  await test("the description of the API is read, searched and tried", async () => {
    const { page, context, open } = await window(lab.url);
    await open("/docs");
    await page.locator(".opblock-tag", { hasText: "Jobs" }).first().waitFor();
    const operations = page.locator(".opblock");
    const all = await operations.count();
    await page.getByPlaceholder("Filter by tag or path").fill("The server");
    await page.waitForFunction((all) => {
      const shown = document.querySelectorAll(".opblock").length;
      return shown > 0 && shown < all;
    }, all);
    await page.locator(".opblock-summary", { hasText: "/healthz" }).getByRole("button").first().click();
    await page.getByRole("button", { name: "Try it out" }).click();
    await page.getByRole("button", { name: "Execute" }).click();
    await page.locator(".live-responses-table .response-col_status", { hasText: "200" }).waitFor();
    await context.close();
  });
} catch (error) {
  problems.push(`${step}: ${error.stack}`);
} finally {
  lab.end();
}

try {
  const locked = await demo("--access", "locked");
  await test("a locked lab shows nothing before the login", async () => {
    const { page, context, open } = await window(locked.url);
    await open("/agents/rpi5-01");
    assert.ok(!(await page.content()).includes("Rack 1"));
    await page.getByLabel("Client id").fill(locked.client);
    await page.getByLabel("Secret").fill(locked.secret);
    await page.getByRole("button", { name: "Log in" }).click();
    await page.waitForURL("**/agents/rpi5-01");
    await page.getByText("Rack 1").first().waitFor();
    await context.close();
  });
  locked.end();
} catch (error) {
  problems.push(`${step}: ${error.stack}`);
}

await browser.close();
for (const problem of problems) console.error(`PROBLEM ${problem}`);
process.exit(problems.length ? 1 : 0);
