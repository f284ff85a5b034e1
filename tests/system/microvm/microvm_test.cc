#include <gmock/gmock.h>

#include <array>

#include "microvm_host.h"
#include "wire/manifest_codec.h"

namespace skerry {
namespace {

using testing::HasSubstr;

TEST_F(MicrovmTest, RunsTheWorkloadInAKernelOfItsOwn) {
  auto& launch = launch_of("basic", {"sh", "-c", "echo to stdout; echo to stderr >&2; exec sleep 1000"});
  launch.spec.env = {{"GREETING", "hello"}};
  const auto started = driver_->start(launch);
  ASSERT_OK(started);
  EXPECT_GT(started->pid, 1);
  EXPECT_EQ(driver_->observe(launch.place)->phase, Phase::kRunning);

  const auto uname = exec(launch, {"uname", "-r"});
  EXPECT_EQ(uname.code, 0);
  EXPECT_THAT(uname.out, HasSubstr("cloud-amd64"));
  EXPECT_EQ(exec(launch, {"hostname"}).out, "basic\n");
  EXPECT_THAT(exec(launch, {"env"}).out, HasSubstr("GREETING=hello\n"));
  EXPECT_EQ(exec(launch, {"cat"}, "through\n").out, "through\n");
  EXPECT_EQ(exec(launch, {"wc", "-c"}, std::string(100'000, 'x')).out, "100000\n");
  EXPECT_EQ(exec(launch, {"sh", "-c", "exit 7"}).code, 7);
  EXPECT_EQ(exec(launch, {"sh", "-c", "kill -9 $$"}).code, 137);
  EXPECT_EQ(exec(launch, {"sh", "-c", "echo no >&2"}).err, "no\n");

  EXPECT_THAT(log_of(launch), HasSubstr(" stdout F to stdout\n"));
  EXPECT_THAT(log_of(launch), HasSubstr(" stderr F to stderr\n"));
  ASSERT_OK(driver_->stop(launch.place, {5000}));
  const auto observed = driver_->observe(launch.place);
  EXPECT_EQ(observed->phase, Phase::kExited);
  EXPECT_EQ(observed->exit_code, 143);  // sleep died of the stop signal
  ASSERT_OK(driver_->collect(launch.place, Kind::kApp));
  EXPECT_EQ(driver_->observe(launch.place)->phase, Phase::kAbsent);
}

// What comes on a serial line until `text` has come.
std::string hear(const Conversation& line, const std::string& text) {
  std::string heard;
  std::array<char, 4096> buffer{};
  const MonoTime deadline = SystemClock().monotonic() + std::chrono::seconds(20);
  while (heard.find(text) == std::string::npos) {
    const auto left_ms = (deadline - SystemClock().monotonic()).count() / 1'000'000;
    pollfd ready{line.socket.get(), POLLIN, 0};
    if (left_ms <= 0 || ::poll(&ready, 1, static_cast<int>(left_ms)) <= 0) break;
    const auto got = sys::read(line.socket.get(), buffer.data(), buffer.size());
    if (!got || *got == 0) break;
    heard.append(buffer.data(), *got);
  }
  EXPECT_THAT(heard, HasSubstr(text));
  return heard;
}

TEST_F(MicrovmTest, TheSerialLineHasAShellAtAKey) {
  auto& launch = launch_of("line", {"sleep", "1000"});
  launch.spec.user = "1000:1000";
  launch.network.reset();
  ASSERT_OK(driver_->start(launch));
  auto line = driver_->serial(launch.place);
  ASSERT_OK(line);
  EXPECT_TRUE(line->plain);
  const auto say = [&](const std::string& text) { ASSERT_OK(sys::write_all(line->socket.get(), text)); };
  // Twice: after a shell's end the line waits for the next key.
  for (const std::string round : {"first", "second"}) {
    say("\n");
    hear(*line, "$ ");
    say("echo " + round + "-$((40+2))-$(id -u)\n");
    hear(*line, round + "-42-1000");  // with the workload's rights, not the agent's
    say("sleep 4321\n");
    EXPECT_EQ(exec(launch, {"sh", "-c", "until ps | grep -q '[s]leep 4321'; do sleep 0.05; done"}).code, 0);
    say("\x03");
    say("echo inter''rupted\n");
    hear(*line, "\ninterrupted");
    say("exit\n");
    hear(*line, "exit");
    // Nobody reaps it but the agent; a line without a shell says nothing more.
    EXPECT_EQ(exec(launch, {"sh", "-c", "while ps | grep -v grep | grep -q '[ /]sh$'; do sleep 0.05; done"}).code, 0);
  }
  // Another may listen as well, and is told what was said before.
  const auto other = driver_->serial(launch.place);
  ASSERT_OK(other);
  hear(*other, "second-42-1000");
  EXPECT_EQ(driver_->observe(launch.place)->phase, Phase::kRunning);
}

// No machine of the project has an IOMMU and KVM: what can be seen here is that nothing is taken, and why.
TEST_F(MicrovmTest, DevicesThatItCannotHaveAreRefused) {
  if (sys::exists("/sys/kernel/iommu_groups/0")) GTEST_SKIP() << "this host has an IOMMU";
  auto& launch = launch_of("devices", {"true"});
  const auto refused = [&](const std::string& address, ErrorCode code, const std::string& why) {
    launch.spec.devices = {{address}, {"8086:10fb"}};
    const auto started = driver_->start(launch);
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().code, code) << started.error().message();
    EXPECT_THAT(started.error().message(), HasSubstr("devices.pci_passthrough"));
    EXPECT_THAT(started.error().message(), HasSubstr(why));
    EXPECT_EQ(driver_->observe(launch.place)->phase, Phase::kAbsent);
  };
  refused("../../etc", ErrorCode::kInvalidArgument, "../../etc");
  refused("ffff:ff:1f.7", ErrorCode::kNotFound, "ffff:ff:1f.7");
}

TEST_F(MicrovmTest, TellsTheExitCodeOfAWorkloadThatEnds) {
  auto& launch = launch_of("ends", {"sh", "-c", "echo done; exit 3"});
  ASSERT_OK(driver_->start(launch));
  const auto observed = await_end(launch);
  EXPECT_EQ(observed.phase, Phase::kExited);
  EXPECT_EQ(observed.exit_code, 3);
  EXPECT_THAT(log_of(launch), HasSubstr("stdout F done\n"));
}

TEST_F(MicrovmTest, SaysWhyACommandCannotRun) {
  auto& missing_program = launch_of("missing", {"nosuch"});
  auto started = driver_->start(missing_program);
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, ErrorCode::kCommandNotFound);
  EXPECT_THAT(started.error().message(), HasSubstr("nosuch"));
  EXPECT_EQ(driver_->observe(missing_program.place)->phase, Phase::kAbsent);

  auto& data = launch_of("data", {"/bin/data"});
  started = driver_->start(data);
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, ErrorCode::kNotExecutable);

  auto& good = launch_of("good", {"sleep", "1000"});
  ASSERT_OK(driver_->start(good));
  ExecSpec spec;
  spec.argv = {"nosuch"};
  EXPECT_EQ(driver_->exec(good.place, spec).error().code, ErrorCode::kCommandNotFound);
  spec.argv = {"/bin/data"};
  EXPECT_EQ(driver_->exec(good.place, spec).error().code, ErrorCode::kNotExecutable);
}

TEST_F(MicrovmTest, RunsAsTheUserAndInTheDirectory) {
  auto& launch = launch_of("user", {"sh", "-c", "id; pwd; exec sleep 1000"});
  launch.spec.user = "app";
  launch.spec.workdir = "/made/for/it";
  ASSERT_OK(driver_->start(launch));
  EXPECT_EQ(exec(launch, {"id"}).out, "uid=1000(app) gid=1000(app) groups=44(video)\n");
  EXPECT_EQ(exec(launch, {"pwd"}).out, "/made/for/it\n");
  ExecSpec root;
  root.argv = {"id", "-u"};
  root.user = "0";
  root.workdir = "/";
  auto conversation = driver_->exec(launch.place, root);
  ASSERT_OK(conversation);
  EXPECT_EQ(converse(*conversation).out, "0\n");
}

TEST_F(MicrovmTest, GivesATerminal) {
  auto& launch = launch_of("terminal", {"sleep", "1000"});
  ASSERT_OK(driver_->start(launch));
  ExecSpec spec;
  spec.argv = {"stty", "size"};
  spec.terminal = true;
  spec.size = {101, 37};
  auto conversation = driver_->exec(launch.place, spec);
  ASSERT_OK(conversation);
  EXPECT_EQ(converse(*conversation).out, "37 101\r\n");
}

TEST_F(MicrovmTest, AnAppKeepsWhatItWroteAndADisposableDoesNot) {
  auto& launch = launch_of("disk", {"sleep", "1000"});
  const auto write_and_stop = [&] {
    ASSERT_OK(driver_->start(launch));
    EXPECT_EQ(exec(launch, {"sh", "-c", "echo kept >> /root/file && rm /srv/index.html"}).code, 0);
    ASSERT_OK(driver_->stop(launch.place, {5000}));
  };
  write_and_stop();
  ASSERT_OK(driver_->collect(launch.place, Kind::kApp));
  ++launch.incarnation;
  ASSERT_OK(driver_->start(launch));
  EXPECT_EQ(exec(launch, {"cat", "/root/file"}).out, "kept\n");
  EXPECT_NE(exec(launch, {"cat", "/srv/index.html"}).code, 0);
  ASSERT_OK(driver_->stop(launch.place, {0}));
  ASSERT_OK(driver_->collect(launch.place, Kind::kDisposable));
  ASSERT_OK(driver_->start(launch));
  EXPECT_NE(exec(launch, {"cat", "/root/file"}).code, 0);
  EXPECT_EQ(exec(launch, {"cat", "/srv/index.html"}).out, "a page of ours\n");
}

TEST_F(MicrovmTest, StopsGracefullyThenByForce) {
  auto& polite =
      launch_of("polite", {"sh", "-c", "trap 'echo bye; exit 5' TERM; echo up; while :; do sleep 0.05; done"});
  ASSERT_OK(driver_->start(polite));
  await_log(polite, "up");
  ASSERT_OK(driver_->stop(polite.place, {10'000}));
  EXPECT_EQ(driver_->observe(polite.place)->exit_code, 5);
  EXPECT_THAT(log_of(polite), HasSubstr("bye"));

  auto& deaf = launch_of("deaf", {"sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.05; done"});
  ASSERT_OK(driver_->start(deaf));
  await_log(deaf, "up");
  ASSERT_OK(driver_->stop(deaf.place, {300}));
  EXPECT_EQ(driver_->observe(deaf.place)->exit_code, 137);
}

TEST_F(MicrovmTest, PausesAndGoesOn) {
  auto& launch = launch_of("pause", {"sleep", "1000"});
  ASSERT_OK(driver_->start(launch));
  ASSERT_OK(driver_->pause(launch.place));
  EXPECT_EQ(driver_->observe(launch.place)->phase, Phase::kPaused);
  ExecSpec spec;
  spec.argv = {"true"};
  EXPECT_EQ(driver_->exec(launch.place, spec).error().code, ErrorCode::kConflict);
  ASSERT_OK(driver_->resume(launch.place));
  EXPECT_EQ(exec(launch, {"true"}).code, 0);
}

TEST_F(MicrovmTest, AttachedFromTheFirstByte) {
  auto& launch = launch_of("attach", {"sh", "-c", "echo first; cat; echo last"});
  launch.attach = true;
  launch.spec.stdin_open = true;
  auto started = driver_->start(launch);
  ASSERT_OK(started);
  ASSERT_TRUE(started->stdio);
  const auto outcome = converse(*started->stdio, "typed\n");
  EXPECT_EQ(outcome.out, "first\ntyped\nlast\n");
  EXPECT_EQ(outcome.code, 0);
}

TEST_F(MicrovmTest, AReadOnlyRootIsOne) {
  auto& launch = launch_of("readonly", {"sleep", "1000"});
  launch.spec.security.read_only_root = true;
  launch.spec.tmpfs = {{"/scratch", 8}};
  ASSERT_OK(driver_->start(launch));
  EXPECT_NE(exec(launch, {"sh", "-c", "echo x > /root/x"}).code, 0);
  EXPECT_EQ(exec(launch, {"sh", "-c", "echo x > /scratch/x && cat /scratch/x /etc/hostname"}).out, "x\nreadonly\n");
}

TEST_F(MicrovmTest, MuchTravelsByDiskAndChannel) {
  // More than a kernel's command line holds.
  auto& launch = launch_of("manifest", {"sh", "-c", cat("sleep 1000; : ", std::string(4000, 'x'))});
  for (unsigned i = 0; i < 500; ++i) launch.spec.env[cat("VARIABLE_", i)] = cat("value ", i * 2654435761U);
  ASSERT_OK(driver_->start(launch));
  const auto env = exec(launch, {"env"});
  EXPECT_THAT(env.out, HasSubstr(cat("VARIABLE_499=value ", 499 * 2654435761U, "\n")));
}

// Every user of the host can read the command line of every process.
TEST_F(MicrovmTest, TheEnvironmentIsNotOnTheCommandLine) {
  auto& launch = launch_of("secret", {"sleep", "1000"});
  launch.spec.env["TOKEN"] = "s3cret-of-the-test";
  const auto started = driver_->start(launch);
  ASSERT_OK(started);
  const auto qemu = read_file(cat("/proc/", started->pid, "/cmdline")).value_or("");
  ASSERT_THAT(qemu, HasSubstr("-machine"));
  EXPECT_THAT(qemu, testing::Not(HasSubstr("s3cret")));
  // Packed it would not be found by its words.
  EXPECT_THAT(qemu, testing::Not(HasSubstr("skerry.manifest=")));
  EXPECT_EQ(exec(launch, {"sh", "-c", "echo $TOKEN; grep -c skerry.manifest= /proc/cmdline"}).out,
            "s3cret-of-the-test\n0\n");
  EXPECT_EQ(exec(launch, {"sh", "-c", "dmesg 2>/dev/null | grep -c s3cret"}).out, "0\n");
}

// Nor does any disk, log or file of the host hold it, nor the guest's kernel.
TEST_F(MicrovmTest, TheEnvironmentStandsNowhereOnTheHost) {
  auto& launch = launch_of("nowhere", {"sh", "-c", "echo ${#TOKEN}; exec sleep 1000"});
  launch.spec.env["TOKEN"] = "s3cret-of-the-test";
  ASSERT_OK(driver_->start(launch));
  await_log(launch, "18");
  EXPECT_EQ(exec(launch, {"sh", "-c", "echo $TOKEN"}).out, "s3cret-of-the-test\n");
  // Packed it would not be found by its words: the disk is unpacked here.
  const std::string disk = read_file(launch.place.run_dir + "/manifest.img").value_or("");
  ASSERT_THAT(disk, HasSubstr("skerry-manifest 1\n"));
  const std::string packed = disk.substr(disk.find('\n') + 1);
  const auto document = wire::decode_manifest(packed.substr(0, packed.find('\n')));
  ASSERT_OK(document);
  EXPECT_THAT(*document, testing::AllOf(HasSubstr("exec sleep 1000"), testing::Not(HasSubstr("s3cret"))));
  SpawnSpec grep;
  grep.argv = {"grep",        "--recursive", "--devices=skip", "--files-with-matches", "s3cret-of-the-test",
               temp_->path(), cache_dir_};
  const auto found = run_command(grep, std::chrono::seconds(60));
  ASSERT_OK(found);
  EXPECT_EQ(found->out, "");
}

TEST_F(MicrovmTest, AnEnvironmentThatNoChannelTakesIsRefused) {
  auto& launch = launch_of("large", {"sleep", "1000"});
  launch.spec.env["LARGE"] = std::string(200'000, 'x');
  const auto started = driver_->start(launch);
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, ErrorCode::kInvalidArgument);
  EXPECT_FALSE(sys::exists(launch.place.run_dir));
}

TEST_F(MicrovmTest, TheVmmIsJailed) {
  auto& launch = launch_of("jailed", {"sleep", "1000"});
  const auto started = driver_->start(launch);
  ASSERT_OK(started);
  const std::string proc = cat("/proc/", started->pid);
  const auto status = read_file(proc + "/status").value_or("");
  EXPECT_THAT(status, HasSubstr("CapEff:\t0000000000000000"));
  EXPECT_THAT(status, HasSubstr("CapBnd:\t0000000000000000"));
  EXPECT_THAT(status, HasSubstr("NoNewPrivs:\t1"));
  EXPECT_THAT(status, HasSubstr("Seccomp:\t2"));
  EXPECT_THAT(status, testing::Not(HasSubstr("Uid:\t0\t")));
  for (const char* kind : {"net", "mnt", "pid", "ipc", "uts"}) {
    EXPECT_NE(sys::readlink(cat(proc, "/ns/", kind)).value_or("?"),
              sys::readlink(cat("/proc/self/ns/", kind)).value_or("?"))
        << kind;
  }
}

}  // namespace
}  // namespace skerry
