import { expect, test } from "vitest";
import { proxySettings } from "../../src/proxies.ts";
import { verifies } from "../requirements.ts";

test("proxy settings are passed in upper and lower case, whichever is set", () => {
  verifies("IMG-07");
  expect(proxySettings({ https_proxy: "http://proxy:3128", NO_PROXY: "localhost,.example.org", PATH: "/bin" })).toEqual({
    HTTPS_PROXY: "http://proxy:3128",
    https_proxy: "http://proxy:3128",
    NO_PROXY: "localhost,.example.org",
    no_proxy: "localhost,.example.org",
  });
});

test("a proxy on the loopback interface is not passed, since a container can't reach it", () => {
  verifies("IMG-07");
  expect(proxySettings({ HTTP_PROXY: "http://127.0.0.1:3128", HTTPS_PROXY: "localhost:3128" })).toEqual({});
});
