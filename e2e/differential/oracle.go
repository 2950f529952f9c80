// Says what Go's encoding/json makes of a document, field by field, for the test beside it.
//
// Standard input carries documents: a length (four bytes, big endian), a letter for what it is the body of, and the bytes. Standard output
// answers each: a length, `y` or `n`, and a dump of what was decoded, or the error. The structs have the fields and types that the Docker
// Engine decodes into (api/types, runconfig), as far as a body can say something about the host; the decoder is the one it uses.
package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"reflect"
	"sort"
	"strconv"
	"strings"
)

func main() {
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriterSize(os.Stdout, 1<<20)
	defer out.Flush()
	for {
		var length uint32
		if err := binary.Read(in, binary.BigEndian, &length); err == io.EOF {
			return
		} else if err != nil {
			fail(err)
		}
		document := make([]byte, length)
		if _, err := io.ReadFull(in, document); err != nil {
			fail(err)
		}
		answer := decode(document[0], document[1:])
		if err := binary.Write(out, binary.BigEndian, uint32(len(answer))); err != nil {
			fail(err)
		}
		if _, err := out.Write(answer); err != nil {
			fail(err)
		}
		// The other side may be waiting for this very answer.
		if in.Buffered() == 0 {
			if err := out.Flush(); err != nil {
				fail(err)
			}
		}
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func decode(kind byte, document []byte) []byte {
	var body any
	switch kind {
	case 'c':
		body = &create{}
	case 'u':
		body = &update{}
	case 'x':
		body = &exec{}
	case 'v':
		body = &volume{}
	case 'n':
		body = &networkConnect{}
	case 'w':
		body = &networkCreate{}
	case 's':
		body = &service{}
	default:
		fail(fmt.Errorf("no body is called %q", kind))
	}
	// Engines up to 20.10 stop here; later ones look for text behind the document too.
	if err := json.NewDecoder(bytes.NewReader(document)).Decode(body); err != nil {
		return []byte("n" + err.Error())
	}
	var text bytes.Buffer
	text.WriteByte('y')
	dump(&text, reflect.ValueOf(body).Elem())
	return text.Bytes()
}

// dump prints a value: fields by name and without those that hold nothing, map entries by key, and what is nil as null.
func dump(text *bytes.Buffer, value reflect.Value) {
	switch value.Kind() {
	case reflect.Pointer:
		if value.IsNil() {
			text.WriteString("null")
		} else {
			dump(text, value.Elem())
		}
	case reflect.Struct:
		text.WriteByte('{')
		fields := fieldsOf(value, nil)
		sort.Slice(fields, func(i, j int) bool { return fields[i].name < fields[j].name })
		for _, field := range fields {
			if !field.value.IsZero() {
				text.WriteString(field.name)
				text.WriteByte('=')
				dump(text, field.value)
				text.WriteByte(';')
			}
		}
		text.WriteByte('}')
	case reflect.Map:
		if value.IsNil() {
			text.WriteString("null")
			return
		}
		keys := value.MapKeys()
		sort.Slice(keys, func(i, j int) bool { return keys[i].String() < keys[j].String() })
		text.WriteByte('<')
		for _, key := range keys {
			quote(text, key.String())
			text.WriteByte(':')
			dump(text, value.MapIndex(key))
			text.WriteByte(';')
		}
		text.WriteByte('>')
	case reflect.Slice, reflect.Array:
		if value.Kind() == reflect.Slice && value.IsNil() {
			text.WriteString("null")
			return
		}
		text.WriteByte('[')
		for index := 0; index < value.Len(); index++ {
			dump(text, value.Index(index))
			text.WriteByte(',')
		}
		text.WriteByte(']')
	case reflect.String:
		quote(text, value.String())
	case reflect.Bool:
		text.WriteString(strconv.FormatBool(value.Bool()))
	case reflect.Int, reflect.Int64:
		text.WriteString(strconv.FormatInt(value.Int(), 10))
	case reflect.Uint, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		text.WriteString(strconv.FormatUint(value.Uint(), 10))
	default:
		fail(fmt.Errorf("no dump of %s", value.Type()))
	}
}

func quote(text *bytes.Buffer, s string) {
	text.WriteByte('"')
	text.WriteString(strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s))
	text.WriteByte('"')
}

type field struct {
	name  string
	value reflect.Value
}

func fieldsOf(value reflect.Value, fields []field) []field {
	for index := 0; index < value.NumField(); index++ {
		described, inner := value.Type().Field(index), value.Field(index)
		if described.Anonymous {
			if inner.Kind() == reflect.Pointer && inner.IsNil() {
				continue
			}
			fields = fieldsOf(reflect.Indirect(inner), fields)
			continue
		}
		name, _, _ := strings.Cut(described.Tag.Get("json"), ",")
		if name == "" {
			name = described.Name
		}
		fields = append(fields, field{name, inner})
	}
	return fields
}

// words is a list that may also come as one string.
type words []string

func (w *words) UnmarshalJSON(text []byte) error {
	list := make([]string, 0, 1)
	if err := json.Unmarshal(text, &list); err != nil {
		var one string
		if err := json.Unmarshal(text, &one); err != nil {
			return err
		}
		list = append(list, one)
	}
	*w = list
	return nil
}

type create struct {
	*Config
	Inner            *HostConfig `json:"HostConfig,omitempty"`
	Cpuset           string      `json:",omitempty"`
	NetworkingConfig *networkingConfig
	// Engines up to 26 read these.
	*HostConfig
}

type Config struct {
	Hostname, Domainname, User              string
	AttachStdin, AttachStdout, AttachStderr bool
	ExposedPorts                            map[string]struct{} `json:",omitempty"`
	Tty, OpenStdin, StdinOnce               bool
	Env                                     []string
	Cmd                                     words
	Healthcheck                             *healthcheck `json:",omitempty"`
	ArgsEscaped                             bool         `json:",omitempty"`
	Image                                   string
	Volumes                                 map[string]struct{}
	WorkingDir                              string
	Entrypoint                              words
	NetworkDisabled                         bool   `json:",omitempty"`
	MacAddress                              string `json:",omitempty"`
	OnBuild                                 []string
	Labels                                  map[string]string
	StopSignal                              string `json:",omitempty"`
	StopTimeout                             *int   `json:",omitempty"`
	Shell                                   words  `json:",omitempty"`
}

type healthcheck struct {
	Test                                          []string `json:",omitempty"`
	Interval, Timeout, StartPeriod, StartInterval int64    `json:",omitempty"`
	Retries                                       int      `json:",omitempty"`
}

type HostConfig struct {
	Binds           []string
	ContainerIDFile string
	LogConfig       logConfig
	NetworkMode     string
	PortBindings    map[string][]portBinding
	RestartPolicy   restartPolicy
	AutoRemove      bool
	VolumeDriver    string
	VolumesFrom     []string
	ConsoleSize     [2]uint
	Annotations     map[string]string `json:",omitempty"`
	CapAdd          words
	CapDrop         words
	CgroupnsMode    string
	DNS             []string `json:"Dns"`
	DNSOptions      []string `json:"DnsOptions"`
	DNSSearch       []string `json:"DnsSearch"`
	ExtraHosts      []string
	GroupAdd        []string
	IpcMode         string
	Cgroup          string
	Links           []string
	OomScoreAdj     int
	PidMode         string
	Privileged      bool
	PublishAllPorts bool
	ReadonlyRootfs  bool
	SecurityOpt     []string
	StorageOpt      map[string]string `json:",omitempty"`
	Tmpfs           map[string]string `json:",omitempty"`
	UTSMode         string
	UsernsMode      string
	ShmSize         int64
	Sysctls         map[string]string `json:",omitempty"`
	Runtime         string            `json:",omitempty"`
	Isolation       string
	Resources
	Mounts        []mount `json:",omitempty"`
	MaskedPaths   []string
	ReadonlyPaths []string
	Init          *bool `json:",omitempty"`
}

type Resources struct {
	CPUShares            int64 `json:"CpuShares"`
	Memory               int64
	NanoCPUs             int64 `json:"NanoCpus"`
	CgroupParent         string
	BlkioWeight          uint16
	BlkioWeightDevice    []*weightDevice
	BlkioDeviceReadBps   []*throttleDevice
	BlkioDeviceWriteBps  []*throttleDevice
	BlkioDeviceReadIOps  []*throttleDevice
	BlkioDeviceWriteIOps []*throttleDevice
	CPUPeriod            int64 `json:"CpuPeriod"`
	CPUQuota             int64 `json:"CpuQuota"`
	CPURealtimePeriod    int64 `json:"CpuRealtimePeriod"`
	CPURealtimeRuntime   int64 `json:"CpuRealtimeRuntime"`
	CpusetCpus           string
	CpusetMems           string
	Devices              []device
	DeviceCgroupRules    []string
	DeviceRequests       []deviceRequest
	KernelMemory         int64 `json:",omitempty"`
	KernelMemoryTCP      int64 `json:",omitempty"`
	MemoryReservation    int64
	MemorySwap           int64
	MemorySwappiness     *int64
	OomKillDisable       *bool
	PidsLimit            *int64
	Ulimits              []*ulimit
	CPUCount             int64 `json:"CpuCount"`
	CPUPercent           int64 `json:"CpuPercent"`
	IOMaximumIOps        uint64
	IOMaximumBandwidth   uint64
}

type logConfig struct {
	Type   string
	Config map[string]string
}

type portBinding struct {
	HostIP   string `json:"HostIp"`
	HostPort string
}

type restartPolicy struct {
	Name              string
	MaximumRetryCount int
}

type weightDevice struct {
	Path   string
	Weight uint16
}

type throttleDevice struct {
	Path string
	Rate uint64
}

type device struct{ PathOnHost, PathInContainer, CgroupPermissions string }

type deviceRequest struct {
	Driver       string
	Count        int
	DeviceIDs    []string
	Capabilities [][]string
	Options      map[string]string
}

type ulimit struct {
	Name       string
	Hard, Soft int64
}

type mount struct {
	Type, Source, Target string         `json:",omitempty"`
	ReadOnly             bool           `json:",omitempty"`
	Consistency          string         `json:",omitempty"`
	BindOptions          *bindOptions   `json:",omitempty"`
	VolumeOptions        *volumeOptions `json:",omitempty"`
	ImageOptions         *imageOptions  `json:",omitempty"`
	TmpfsOptions         *tmpfsOptions  `json:",omitempty"`
	ClusterOptions       *struct{}      `json:",omitempty"`
}

type bindOptions struct {
	Propagation                                                                  string `json:",omitempty"`
	NonRecursive, CreateMountpoint, ReadOnlyNonRecursive, ReadOnlyForceRecursive bool   `json:",omitempty"`
}

type volumeOptions struct {
	NoCopy       bool              `json:",omitempty"`
	Labels       map[string]string `json:",omitempty"`
	Subpath      string            `json:",omitempty"`
	DriverConfig *driver           `json:",omitempty"`
}

type driver struct {
	Name    string            `json:",omitempty"`
	Options map[string]string `json:",omitempty"`
}

type imageOptions struct {
	Subpath string `json:",omitempty"`
}

type tmpfsOptions struct {
	SizeBytes int64      `json:",omitempty"`
	Mode      uint32     `json:",omitempty"`
	Options   [][]string `json:",omitempty"`
}

type networkingConfig struct {
	EndpointsConfig map[string]*endpoint
}

type endpoint struct {
	IPAMConfig          *endpointAddresses
	Links               []string
	Aliases             []string
	MacAddress          string
	DriverOpts          map[string]string
	GwPriority          int
	NetworkID           string
	EndpointID          string
	Gateway             string
	IPAddress           string
	IPPrefixLen         int
	IPv6Gateway         string
	GlobalIPv6Address   string
	GlobalIPv6PrefixLen int
	DNSNames            []string
}

type endpointAddresses struct {
	IPv4Address, IPv6Address string   `json:",omitempty"`
	LinkLocalIPs             []string `json:",omitempty"`
}

type update struct {
	Resources
	RestartPolicy restartPolicy
}

type exec struct {
	User                                    string
	Privileged, Tty                         bool
	ConsoleSize                             *[2]uint `json:",omitempty"`
	AttachStdin, AttachStderr, AttachStdout bool
	Detach                                  bool
	DetachKeys                              string
	Env                                     []string
	WorkingDir                              string
	Cmd                                     []string
}

type volume struct {
	ClusterVolumeSpec *clusterVolume    `json:"ClusterVolumeSpec,omitempty"`
	Driver            string            `json:"Driver,omitempty"`
	DriverOpts        map[string]string `json:"DriverOpts,omitempty"`
	Labels            map[string]string `json:"Labels,omitempty"`
	Name              string            `json:"Name,omitempty"`
}

type clusterVolume struct {
	Group                     string        `json:",omitempty"`
	AccessibilityRequirements *requirements `json:",omitempty"`
	Availability              string        `json:",omitempty"`
}

type requirements struct {
	Requisite, Preferred []topology `json:",omitempty"`
}

type topology struct {
	Segments map[string]string `json:",omitempty"`
}

type networkConnect struct {
	Container      string
	EndpointConfig *endpoint `json:",omitempty"`
}

type networkCreate struct {
	Name                                      string
	CheckDuplicate                            bool
	Driver, Scope                             string
	EnableIPv4, EnableIPv6                    *bool `json:",omitempty"`
	IPAM                                      *ipam
	Internal, Attachable, Ingress, ConfigOnly bool
	ConfigFrom                                *configReference
	Options                                   map[string]string
	Labels                                    map[string]string
}

type ipam struct {
	Driver  string
	Options map[string]string
	Config  []ipamConfig
}

type ipamConfig struct {
	Subnet, IPRange, Gateway string            `json:",omitempty"`
	AuxAddress               map[string]string `json:"AuxiliaryAddresses,omitempty"`
}

type configReference struct{ Network string }

type service struct {
	Annotations
	TaskTemplate task          `json:",omitempty"`
	Mode         mode          `json:",omitempty"`
	Networks     []attachment  `json:",omitempty"`
	EndpointSpec *endpointSpec `json:",omitempty"`
}

type Annotations struct {
	Name   string            `json:",omitempty"`
	Labels map[string]string `json:"Labels"`
}

type task struct {
	ContainerSpec *containerSpec `json:",omitempty"`
	PluginSpec    *pluginSpec    `json:",omitempty"`
	Networks      []attachment   `json:",omitempty"`
	LogDriver     *driver        `json:",omitempty"`
	ForceUpdate   uint64
	Runtime       string `json:",omitempty"`
}

type mode struct {
	Replicated *replicated `json:",omitempty"`
	Global     *struct{}   `json:",omitempty"`
}

type replicated struct {
	Replicas *uint64 `json:",omitempty"`
}

type attachment struct {
	Target     string            `json:",omitempty"`
	Aliases    []string          `json:",omitempty"`
	DriverOpts map[string]string `json:",omitempty"`
}

type endpointSpec struct {
	Mode  string     `json:",omitempty"`
	Ports []portSpec `json:",omitempty"`
}

type portSpec struct {
	Name, Protocol            string `json:",omitempty"`
	TargetPort, PublishedPort uint32 `json:",omitempty"`
	PublishMode               string `json:",omitempty"`
}

type pluginSpec struct {
	Name, Remote string
	Disabled     bool
}

type containerSpec struct {
	Image           string            `json:",omitempty"`
	Labels          map[string]string `json:",omitempty"`
	Command         []string          `json:",omitempty"`
	Args            []string          `json:",omitempty"`
	Hostname        string            `json:",omitempty"`
	Env             []string          `json:",omitempty"`
	Dir             string            `json:",omitempty"`
	User            string            `json:",omitempty"`
	Groups          []string          `json:",omitempty"`
	Privileges      *privileges       `json:",omitempty"`
	Init            *bool             `json:",omitempty"`
	StopSignal      string            `json:",omitempty"`
	TTY             bool              `json:",omitempty"`
	OpenStdin       bool              `json:",omitempty"`
	ReadOnly        bool              `json:",omitempty"`
	Mounts          []mount           `json:",omitempty"`
	StopGracePeriod *int64            `json:",omitempty"`
	Healthcheck     *healthcheck      `json:",omitempty"`
	Hosts           []string          `json:",omitempty"`
	DNSConfig       *dnsConfig        `json:",omitempty"`
	Secrets         []*fileReference  `json:",omitempty"`
	Configs         []*fileReference  `json:",omitempty"`
	Isolation       string            `json:",omitempty"`
	Sysctls         map[string]string `json:",omitempty"`
	CapabilityAdd   []string          `json:",omitempty"`
	CapabilityDrop  []string          `json:",omitempty"`
	Ulimits         []*ulimit         `json:",omitempty"`
	OomScoreAdj     int64             `json:",omitempty"`
}

type privileges struct {
	CredentialSpec  *credentialSpec
	SELinuxContext  *seLinuxContext
	Seccomp         *protection `json:",omitempty"`
	AppArmor        *protection `json:",omitempty"`
	NoNewPrivileges bool
}

type credentialSpec struct{ Config, File, Registry string }

type seLinuxContext struct {
	Disable                 bool
	User, Role, Type, Level string
}

type protection struct {
	Mode string `json:",omitempty"`
}

type dnsConfig struct {
	Nameservers, Search, Options []string `json:",omitempty"`
}

type fileReference struct {
	File                                       *file
	SecretID, SecretName, ConfigID, ConfigName string
}

type file struct {
	Name, UID, GID string
	Mode           uint32
}
